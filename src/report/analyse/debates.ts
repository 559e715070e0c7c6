import { debateMeasures, type RoundChange } from '../../algorithm/measures/debate-measures.ts';
import type { ErrorsInCommon } from '../../algorithm/measures/errors-in-common.ts';
import type { Ratio } from '../../algorithm/measures/ratio.ts';
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
