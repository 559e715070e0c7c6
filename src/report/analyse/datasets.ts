import {
  type Calibration,
  calibrationOf,
  type LabelQuality,
  labelQuality,
  type Purity,
  purityOf,
} from '../../algorithm/measures/labels.ts';
import type { AgreementWindow } from '../../algorithm/labelled-debate.ts';
import { type LabelsDocument, ofVotes } from '../../store/records/rows.ts';
import type { MeasuredExperiment } from '../read/measured-experiment.ts';
import { commonIterations } from './contenders.ts';

/** The datasets that a method's models were trained on in an iteration: means over its seeds. */
export type DatasetSize = {
  readonly iteration: number;
  readonly role: string;
  /** How many datasets of this role there are: one for each agent, or one that all share. */
  readonly datasets: number;
  /** The mean number of rows of a dataset. */
  readonly rows: number;
  /** The number of rows of the smallest dataset of all seeds. */
  readonly fewest: number;
};

/** The training votes of an iteration, as shares of the questions of all seeds. */
export type VoteShare = {
  readonly iteration: number;
  readonly questions: number;
  readonly unanimous: number;
  readonly ties: number;
  readonly withoutLabel: number;
};

export function datasetSizes(experiments: readonly MeasuredExperiment[]): DatasetSize[] {
  const all = experiments.flatMap(({ result }) =>
    result.iterations.flatMap(({ iteration, datasets }) =>
      datasets.map(({ role, rows }) => ({ iteration, role, rows })),
    ),
  );
  const keys = new Map(all.map(({ iteration, role }) => [`${iteration} ${role}`, { iteration, role }]));
  return [...keys.values()]
    .toSorted((a, b) => a.iteration - b.iteration)
    .map(({ iteration, role }) => {
      const rows = all
        .filter((each) => each.iteration === iteration && each.role === role)
        .map((each) => each.rows);
      return {
        iteration,
        role,
        datasets: rows.length / experiments.length,
        rows: rows.reduce((sum, each) => sum + each, 0) / rows.length,
        fewest: Math.min(...rows),
      };
    });
}

export function voteShares(experiments: readonly MeasuredExperiment[]): VoteShare[] {
  // Gold labels are not voted on.
  const voting = experiments.filter(({ config }) => config.label_source === 'consensus');
  const all = voting.flatMap(({ result }) => result.iterations);
  return [...new Set(all.map(({ iteration }) => iteration))]
    .toSorted((a, b) => a - b)
    .map((iteration) => {
      const votes = all.filter((each) => each.iteration === iteration).map(({ consensus }) => consensus);
      const sum = (of: (each: (typeof votes)[number]) => number): number =>
        votes.reduce((total, each) => total + of(each), 0);
      const questions = sum((each) => each.questions);
      return {
        iteration,
        questions,
        unanimous: sum((each) => each.unanimous) / questions,
        ties: sum((each) => each.ties) / questions,
        withoutLabel: sum((each) => each.withoutLabel) / questions,
      };
    });
}

/** How right the labels of an iteration's training questions were, and what was learnt from them, over the questions of all seeds. */
export type LabelRow = LabelQuality &
  AgreementWindow & {
    readonly iteration: number;
    /** How many votes a label could have. */
    readonly ofVotes: number;
    /** Null where there was no label. */
    readonly calibration: Calibration | null;
    /** Null where an earlier version judged. */
    readonly purity: Purity | null;
  };

/** None for a method that learns nothing or from gold labels, and where labels were not judged. */
export function labelsOf(experiments: readonly MeasuredExperiment[]): LabelRow[] {
  return Array.from({ length: commonIterations(experiments) }, (_, iteration) => iteration).flatMap(
    (iteration) => labelRow(experiments.flatMap(({ iterations }) => iterations[iteration]?.labels ?? [])),
  );
}

/** The labels of an iteration, judged in experiments that share a config but for the seed. None without any. */
export function labelRow(judged: readonly LabelsDocument[]): LabelRow[] {
  const [first] = judged;
  if (first === undefined) return [];
  const { iteration, minVotes, maxVotes } = first;
  const rows = judged.flatMap((each) => each.rows);
  const most = Math.max(...judged.map(ofVotes));
  return [
    {
      iteration,
      minVotes,
      maxVotes,
      ofVotes: most,
      ...labelQuality(rows, { minVotes, maxVotes }),
      calibration: calibrationOf(rows, most),
      purity: purityOf(rows),
    },
  ];
}
