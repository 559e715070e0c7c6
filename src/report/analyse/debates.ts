import {
  debateMeasures,
  type ErrorsInCommon,
  type RoundChange,
} from '../../algorithm/measures/debate-measures.ts';
import { diversityOver } from '../../algorithm/measures/diversity.ts';
import type { Ratio } from '../../algorithm/measures/answers.ts';
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
