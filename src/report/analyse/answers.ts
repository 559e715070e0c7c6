import type { MeasuredExperiment } from '../read/measured-experiment.ts';
import { commonIterations } from './contenders.ts';

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
