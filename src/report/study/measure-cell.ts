import { createHash } from 'node:crypto';
import type { Outcome } from '../../algorithm/evaluation.ts';
import { type DebateMeasures, debateMeasures } from '../../algorithm/measures/debate-measures.ts';
import { type SummaryEffect, summaryEffect } from '../../algorithm/measures/flips.ts';
import type { Method } from '../../algorithm/methods/method.ts';
import { methods } from '../../algorithm/methods/methods.ts';
import { readDocument } from '../../store/files/documents.ts';
import { streamRows } from '../../store/files/rows.ts';
import {
  type DiversityDocument,
  diversitySchema,
  evaluationRecordSchema,
  outcomeSchema,
} from '../../store/records/rows.ts';
import { type ExperimentFiles, experimentFiles, type Measured, type Store } from '../../store/store.ts';
import type { FinishedCell } from './finished-cell.ts';
import { type Score, scoreOf, type Scores } from './score.ts';

/** A finished experiment with what its outcomes say. Numbers only: the texts of all questions would not fit into every memory. */
export type MeasuredCell = FinishedCell & {
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
  readonly diversity: Diversity | null;
  /** The majority at equal tokens that stands beside the debate. */
  readonly votes: { readonly count: number; readonly tokens: number; readonly scores: Scores } | null;
};

/** diversity.json without its questions. */
export type Diversity = Omit<DiversityDocument, 'rows'>;

/** On another task: the base model and the agents of the last iteration, the same for a method that learns nothing. */
export type MeasuredTransfer = { readonly task: string; readonly before: Scores; readonly after: Scores };

/**
 * Reads the outcomes of an experiment, one row in memory at a time.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function measureCell(store: Store, cell: FinishedCell): Promise<MeasuredCell> {
  const files = experimentFiles(store, cell.name);
  const { answer } = methods[cell.method];
  const { evaluations, equalTokens, transfer } = cell.result;
  const { summarize, agents, rounds } = cell.config;
  // One agent alone has nobody to sum up, and one round nobody to be shown it.
  const hasSummaries = answer === 'debate' && summarize && agents > 1 && rounds > 1;
  const iterations: MeasuredIteration[] = [];
  for (const { iteration } of evaluations) {
    const measures = debateMeasures();
    const summaries = hasSummaries ? summaryEffect() : null;
    const scores = await readScores(files, iteration, 'heldout', answer, cell.seed, (outcome) => {
      measures.add(outcome);
      summaries?.add(outcome);
    });
    const beside = equalTokens.find((each) => each.iteration === iteration);
    const votes =
      beside === undefined
        ? null
        : {
            count: beside.votes,
            tokens: beside.tokens.prompt + beside.tokens.completion,
            scores: await readScores(files, iteration, 'vote', 'majority', cell.seed),
          };
    const diversity = await readDiversity(files, iteration);
    iterations.push({
      scores,
      measures: measures.result(),
      summaries: summaries?.result() ?? null,
      diversity,
      votes,
    });
  }
  const last = evaluations.at(-1)?.iteration ?? 0;
  const measured: MeasuredTransfer[] = [];
  for (const task of new Set(transfer.map((each) => each.task))) {
    const at = (iteration: number) => readScores(files, iteration, `transfer-${task}`, answer, cell.seed);
    const before = await at(0);
    measured.push({ task, before, after: last === 0 ? before : await at(last) });
  }
  const base = await readDocument(files.evaluation(0), evaluationRecordSchema);
  return {
    ...cell,
    iterations,
    transfer: measured,
    baseTokens: base === null ? 0 : base.tokens.prompt + base.tokens.completion,
  };
}

async function readDiversity(files: ExperimentFiles, iteration: number): Promise<Diversity | null> {
  const found = await readDocument(files.diversity(iteration), diversitySchema);
  if (found === null) return null;
  const { rows: _, ...diversity } = found;
  return diversity;
}

async function readScores(
  files: ExperimentFiles,
  iteration: number,
  split: Measured,
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
