/** What is measured of a method, beside how right it is: its debates and answers, their diversity, and what its models learnt from. */
import type { AgreementWindow } from '../../algorithm/labelled-debate.ts';
import {
  debateMeasures,
  type RoundChange,
  type ErrorsInCommon,
} from '../../algorithm/measures/debate-measures.ts';
import { diversityOver } from '../../algorithm/measures/diversity.ts';
import type { Ratio } from '../../algorithm/measures/answers.ts';
import {
  type Calibration,
  calibrationOf,
  type LabelQuality,
  labelQuality,
  type Purity,
  purityOf,
} from '../../algorithm/measures/labels.ts';
import { type LabelsDocument, ofVotes } from '../../store/records/rows.ts';
import type { MeasuredExperiment } from '../read/measured-experiment.ts';
import { commonIterations } from './contenders.ts';

/** How much a method's agents agree on held-out questions after an iteration, over the questions of all seeds. */
export type ConsensusRow = {
  readonly iteration: number;
  /** The share of last answers that agree with the majority. */
  readonly consensusShare: Ratio | null;
  /** The share of questions whose last answers are all equal. */
  readonly unanimous: Ratio | null;
  /** The share of questions that any of the N first answers gets right, and the share that their majority gets right. */
  readonly passAtN: Ratio | null;
  readonly majAtN: Ratio | null;
  /** pass@N less maj@N. */
  readonly oracleGap: Ratio | null;
  readonly errors: ErrorsInCommon;
};

/** How agents changed their answers between two rounds, after an iteration: shares, over the questions of all seeds. */
export type FlipRow = RoundChange & { readonly iteration: number };

/** What is measured of the debates of one method, by iteration, over the questions of all seeds together. */
export function debatesOf(experiments: readonly MeasuredExperiment[]): {
  readonly consensus: readonly ConsensusRow[];
  readonly flips: readonly FlipRow[];
} {
  const measured = Array.from({ length: commonIterations(experiments) }, (_, iteration) => {
    const measures = debateMeasures();
    for (const { iterations } of experiments)
      for (const { question, answers } of iterations[iteration]?.answers ?? [])
        measures.add(question, answers);
    return { iteration, ...measures.result() };
  });
  return {
    consensus: measured.map(
      ({ iteration, consensusShare, unanimous, passAtK, majAtK, oracleGap, errors }) => ({
        iteration,
        consensusShare,
        unanimous,
        passAtN: passAtK.at(-1) ?? null,
        majAtN: majAtK.at(-1) ?? null,
        oracleGap,
        errors,
      }),
    ),
    flips: measured.flatMap(({ iteration, changes }) => changes.map((change) => ({ iteration, ...change }))),
  };
}

/** How many answers to held-out questions were cut off, and how many could not be read, after an iteration: counts over all seeds. */
export type AnswerCounts = {
  readonly iteration: number;
  /** The agents' responses of all rounds whose finish reason is known. */
  readonly responses: Count;
  readonly summaries: Count;
  /** Of all answers of all rounds. */
  readonly unreadable: Count;
};

type Count = { readonly count: number; readonly of: number };

export function answerCounts(experiments: readonly MeasuredExperiment[]): AnswerCounts[] {
  return Array.from({ length: commonIterations(experiments) }, (_, iteration) => {
    const cutOff = experiments.flatMap(({ result }) => result.evaluations[iteration]?.cutOff ?? []);
    const classes = experiments
      .flatMap(({ iterations }) => iterations[iteration]?.answers ?? [])
      .flatMap(({ answers }) => answers.classes.flat());
    const counted = (counts: readonly { readonly cut: number; readonly of: number }[]): Count => ({
      count: counts.reduce((sum, { cut }) => sum + cut, 0),
      of: counts.reduce((sum, { of }) => sum + of, 0),
    });
    return {
      iteration,
      responses: counted(cutOff.map(({ responses }) => responses)),
      summaries: counted(cutOff.map(({ summaries }) => summaries)),
      unreadable: { count: classes.filter((each) => each === null).length, of: classes.length },
    };
  });
}

/** How diverse a method's agents were after an iteration, over the questions of all seeds; null where nothing was measured. */
export type DiversityRow = {
  readonly iteration: number;
  /** What made the vectors; dissimilarities compare only when it is the same. */
  readonly encoder: string;
} & { readonly [measure in DiversityMeasure]: Ratio | null };

/** In the order of the report. */
export const diversityMeasures = [
  'dissimilarity',
  'nllOfOthers',
  'nllOfOwn',
  'betweenAgents',
  'fromBase',
  'distinctAnswers',
] as const;
export type DiversityMeasure = (typeof diversityMeasures)[number];

export type MethodDiversity = {
  readonly rows: readonly DiversityRow[];
  /** Why some of it is missing, each reason once. */
  readonly leftOut: readonly string[];
};

export function diversityOf(experiments: readonly MeasuredExperiment[]): MethodDiversity {
  const rows: DiversityRow[] = [];
  const leftOut = new Set<string>();
  for (let iteration = 0; iteration < commonIterations(experiments); iteration++) {
    const found = experiments.flatMap(({ iterations }) => iterations[iteration]?.diversity ?? []);
    for (const { leftOut: reason } of found) if (reason !== null) leftOut.add(reason);
    const [first] = found;
    if (first === undefined) continue;
    // Seeds of one method share their config, and so their encoder.
    const pooled = diversityOver(found.flatMap((each) => each.rows));
    rows.push({
      iteration,
      encoder: first.encoder,
      ...pooled,
      betweenAgents: pooled.betweenAgents.perToken,
      fromBase: pooled.fromBase.perToken,
    });
  }
  return { rows, leftOut: [...leftOut] };
}

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
