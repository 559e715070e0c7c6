import { createHash } from 'node:crypto';
import type { Outcome } from '../../algorithm/evaluation.ts';
import { type DebateMeasures, debateMeasures } from '../../algorithm/measures/debate-measures.ts';
import { type SummaryEffect, summaryEffect } from '../../algorithm/measures/flips.ts';
import type { Method } from '../../algorithm/methods/method.ts';
import { methods } from '../../algorithm/methods/methods.ts';
import type { StudyCell } from '../../config/study.ts';
import { readDocument } from '../../store/files/documents.ts';
import { streamRows } from '../../store/files/rows.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import {
  type DiversityDocument,
  diversitySchema,
  evaluationRecordSchema,
  outcomeSchema,
} from '../../store/records/rows.ts';
import { type ExperimentFiles, experimentFiles, type MeasuredSet, type Store } from '../../store/store.ts';

/** A finished experiment of a study. `experiment` names its setting: the task and the model. */
export type FinishedExperiment = Omit<StudyCell, 'input'> & { readonly result: ExperimentResult };

/** A finished experiment with its scores and measures. Numbers only: the texts of all questions may be larger than memory. */
export type MeasuredExperiment = FinishedExperiment & {
  /** By iteration, 0 the base model. */
  readonly iterations: readonly MeasuredIteration[];
  readonly transfer: readonly MeasuredTransfer[];
  /** Tokens of the base model's own evaluation. */
  readonly baseTokens: number;
};

export type MeasuredIteration = {
  readonly scores: Scores;
  readonly measures: DebateMeasures;
  /** Null where no debate has summaries. */
  readonly summaries: SummaryEffect | null;
  /** How diverse the agents' first answers are; null where it was not measured. */
  readonly diversity: MeasuredDiversity | null;
  /** The majority at equal tokens, measured with the debate: of how many answers, for how many tokens. */
  readonly votes: { readonly count: number; readonly tokens: number; readonly scores: Scores } | null;
};

/** diversity.json without its questions. */
export type MeasuredDiversity = Omit<DiversityDocument, 'rows'>;

/** On another task: the base model and the agents of the last iteration, which are the same for a method that learns nothing. */
export type MeasuredTransfer = { readonly task: string; readonly before: Scores; readonly after: Scores };

/** How a method answered one question in the experiment of one seed. */
export type Score = {
  readonly seed: number;
  /** Stands for the question's text: equal for equal texts, in every experiment. */
  readonly text: string;
  /** The method's own figure, 0..1: for a method that answers once, the mean over the agents' answers. */
  readonly score: number;
  /** Whether the method's answer is right; for a method that answers once, agent 1's. */
  readonly right: boolean;
};

/** By unit: a question in the experiment of one seed. The same question has the same unit in every method. */
export type Scores = ReadonlyMap<string, Score>;

/**
 * Measures a finished experiment from its outcomes, reading one row at a time.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function measureExperiment(
  store: Store,
  experiment: FinishedExperiment,
): Promise<MeasuredExperiment> {
  const files = experimentFiles(store, experiment.name);
  const { seed, config, result } = experiment;
  const { answer } = methods[experiment.method];
  // A single agent has no others to summarise, and after a single round nothing is shown.
  const hasSummaries = answer === 'debate' && config.summarize && config.agents > 1 && config.rounds > 1;
  const scoresOf = (iteration: number, split: MeasuredSet, way = answer) =>
    readScores(files, iteration, split, way, seed);
  const iterations: MeasuredIteration[] = [];
  for (const { iteration } of result.evaluations) {
    const measures = debateMeasures();
    const summaries = hasSummaries ? summaryEffect() : null;
    const scores = await readScores(files, iteration, 'heldout', answer, seed, (outcome) => {
      measures.add(outcome);
      summaries?.add(outcome);
    });
    const beside = result.equalTokens.find((each) => each.iteration === iteration);
    const votes =
      beside === undefined
        ? null
        : {
            count: beside.votes,
            tokens: beside.tokens.prompt + beside.tokens.completion,
            scores: await scoresOf(iteration, 'vote', 'majority'),
          };
    iterations.push({
      scores,
      measures: measures.result(),
      summaries: summaries?.result() ?? null,
      diversity: await readDiversity(files, iteration),
      votes,
    });
  }
  const last = result.evaluations.at(-1)?.iteration ?? 0;
  const transfer: MeasuredTransfer[] = [];
  for (const task of new Set(result.transfer.map((each) => each.task))) {
    const before = await scoresOf(0, `transfer-${task}`);
    transfer.push({ task, before, after: last === 0 ? before : await scoresOf(last, `transfer-${task}`) });
  }
  const base = await readDocument(files.evaluation(0), evaluationRecordSchema);
  const baseTokens = base === null ? 0 : base.tokens.prompt + base.tokens.completion;
  return { ...experiment, iterations, transfer, baseTokens };
}

async function readDiversity(files: ExperimentFiles, iteration: number): Promise<MeasuredDiversity | null> {
  const found = await readDocument(files.diversity(iteration), diversitySchema);
  if (found === null) return null;
  const { rows: _, ...diversity } = found;
  return diversity;
}

/** @param each is called with every outcome */
async function readScores(
  files: ExperimentFiles,
  iteration: number,
  split: MeasuredSet,
  answer: Method['answer'],
  seed: number,
  each: (outcome: Outcome) => void = () => {},
): Promise<Scores> {
  const scores = new Map<string, Score>();
  for await (const outcome of streamRows(files.outcomes(iteration, split), outcomeSchema)) {
    const text = createHash('sha256').update(outcome.question).digest('base64url').slice(0, 16);
    scores.set(`${seed} ${outcome.questionId} ${text}`, { seed, text, ...scoreOf(answer, outcome) });
    each(outcome);
  }
  return scores;
}

/** The figures of an outcome that are the method's own. */
function scoreOf(answer: Method['answer'], { single, ...votes }: Outcome): Pick<Score, 'score' | 'right'> {
  if (answer !== 'single') {
    const right = votes[answer].correct;
    return { score: Number(right), right };
  }
  return {
    score: single.filter(({ correct }) => correct).length / single.length,
    right: single[0]?.correct === true,
  };
}
