/** What does the store have of an experiment for its report: its result, its labels, some of its debates, and the warnings about it? */
import { z } from 'zod';
import { chosenIteration } from '../../algorithm/guard.ts';
import type { Debate } from '../../algorithm/debate.ts';
import { type Mark, markOf, type Outcome } from '../../algorithm/evaluation.ts';
import { type Accuracy, accuracy } from '../../algorithm/measures/answers.ts';
import { type PairedTest, pairedTest } from '../../algorithm/measures/tests.ts';
import { agentsOf } from '../../config/agents.ts';
import { experimentConfigSchema } from '../../config/experiment.ts';
import { ArtifactDamaged } from '../../store/errors.ts';
import { readDocument } from '../../store/files/documents.ts';
import { streamRows } from '../../store/files/rows.ts';
import { begunWithSchema } from '../../store/base-model-files.ts';
import { configInForce } from '../../store/records/config-changes.ts';
import { type DistilledRecord, distilledRecordSchema } from '../../store/records/iteration.ts';
import { type ExperimentResult, experimentResultSchema, type Warning } from '../../store/records/result.ts';
import {
  evaluationRecordSchema,
  evaluationRowSchema,
  iterationRecordSchema,
  type LeftOutDocument,
  leftOutDocumentSchema,
  outcomeSchema,
  readDebates,
} from '../../store/records/rows.ts';
import { begunIterations, type ExperimentFiles } from '../../store/store.ts';
import { type LabelRow, labelRow } from '../analyse/measures.ts';
import { warningsOf } from '../findings/warnings.ts';
import { readLabels, trainedQuestions } from './measured-experiment.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

/**
 * The result.json of an experiment.
 *
 * @throws NothingToReport, ArtifactDamaged
 */
export async function readResult(files: ExperimentFiles): Promise<ExperimentResult> {
  const result = await readDocument(files.result, experimentResultSchema);
  if (result === null) throw new NothingToReport(files.folder.where);
  return result;
}

/** Everything that the report of an experiment shows. */
export type ReportData = {
  readonly result: ExperimentResult;
  /** The resolved config in config.json; null when the file is missing. */
  readonly config: unknown;
  /** The names of the agents' base models, by agent; empty where the config does not show them. */
  readonly models: readonly string[];
  readonly debates: readonly DebateToRead[];
  /** The debate against the vote over its first answers, on the same questions, by iteration; 0 is the base model. */
  readonly debateVersusMajority: ReadonlyMap<number, PairedTest>;
  /** By iteration, 0 the base model, then by agent. */
  readonly byAgent: ReadonlyMap<number, readonly AgentAccuracy[]>;
  /** How right the labels of each iteration were, and what was learnt from them; none where they were not judged. */
  readonly labels: readonly LabelRow[];
  /** The questions of the task that were not asked. */
  readonly leftOut: LeftOutDocument['leftOut'];
};

/** How often an agent is right on the held-out questions: with its first answer, and with its answer of the last round. */
export type AgentAccuracy = {
  /** How many questions were asked. */
  readonly questions: number;
  readonly first: Accuracy;
  readonly last: Accuracy;
};

/** A debate of the last evaluation, or of the best one by the guard, with its outcome, and the outcome of the base model's debate on the same question. */
export type DebateToRead = PickedDebate & { readonly outcome: Outcome; readonly base: Outcome | undefined };

/**
 * Reads a finished experiment's folder for its report.
 *
 * @throws NothingToReport when the experiment has not finished; ArtifactDamaged, ArtifactMissing
 */
export async function loadReportData(files: ExperimentFiles): Promise<ReportData> {
  const result = await readResult(files);
  const last = chosenIteration(result);
  const marks = new Map<string, Mark>();
  const votes = new Map<number, Mark[]>();
  const right = new Map<number, Outcome['right'][]>();
  for await (const row of evaluationRows(files)) {
    const ofIteration = right.get(row.iteration) ?? [];
    right.set(row.iteration, ofIteration);
    ofIteration.push(row.right);
    const mark = markOf(row);
    if (row.iteration === last) marks.set(row.questionId, mark);
    const marked = votes.get(row.iteration) ?? [];
    votes.set(row.iteration, marked);
    marked.push(mark);
  }
  const picked = await pickDebates(marks, readDebates(files.debates(last, 'heldout')));
  const config = await readConfig(files);
  const { data: named } = agentsSchema.safeParse(config);
  return {
    result,
    config,
    models: named === undefined ? [] : agentsOf(named).map(({ model }) => model.model_name_or_path),
    debateVersusMajority: new Map(
      [...votes].map(([iteration, own]) => [iteration, debateVersusMajority(own)] as const),
    ),
    byAgent: new Map([...right].map(([iteration, questions]) => [iteration, accuracyByAgent(questions)])),
    labels: await judgedLabels(files, last),
    debates: await withOutcomes(picked, evaluationRows(files), last),
    // Experiments of earlier versions have no such file.
    leftOut: (await readDocument(files.leftOut, leftOutDocumentSchema))?.leftOut ?? [],
  };
}

async function judgedLabels(files: ExperimentFiles, iterations: number): Promise<LabelRow[]> {
  const questions = iterations === 0 ? new Map<string, string>() : await trainedQuestions(files);
  const rows: LabelRow[] = [];
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const found = await readLabels(files, iteration, questions);
    rows.push(...labelRow(found === null ? [] : [found]));
  }
  return rows;
}

/** Configs of older versions may have other settings: only those of the agents are read. */
const { agents, model, sampling } = experimentConfigSchema.shape;
const agentsSchema = z.object({ agents, model, sampling });

/** @param questions for each question: by agent, then by round, whether the answer is right */
function accuracyByAgent(questions: readonly Outcome['right'][]): AgentAccuracy[] {
  const agents = questions[0]?.length ?? 0;
  const of = (agent: number, round: number) =>
    accuracy(questions.map((byAgent) => (byAgent[agent]?.at(round) === true ? 1 : 0)));
  return Array.from({ length: agents }, (_, agent) => ({
    first: of(agent, 0),
    last: of(agent, -1),
    questions: questions.length,
  }));
}

/** The outcomes of all held-out questions in all iterations. */
export function evaluationRows(files: ExperimentFiles) {
  return streamRows(files.allOutcomes, evaluationRowSchema);
}

/** The resolved config in config.json; null when the file is missing. */
export async function readConfig(files: ExperimentFiles): Promise<unknown> {
  return readDocument(files.config, z.unknown());
}

function debateVersusMajority(marks: readonly Mark[]): PairedTest {
  return pairedTest(
    marks.map(({ debate }) => debate),
    marks.map(({ majority }) => majority),
  );
}

/** Holds the outcomes of these few questions only: the texts of all of them may be larger than memory. */
async function withOutcomes(
  picked: readonly PickedDebate[],
  rows: AsyncIterable<Outcome & { readonly iteration: number }>,
  last: number,
): Promise<DebateToRead[]> {
  const ids = new Set(picked.map(({ debate }) => debate.question.id));
  const own = new Map<string, Outcome>();
  const base = new Map<string, Outcome>();
  for await (const row of rows) {
    if (!ids.has(row.questionId)) continue;
    if (row.iteration === last) own.set(row.questionId, row);
    if (row.iteration === 0) base.set(row.questionId, row);
  }
  return picked.flatMap((each) => {
    const outcome = own.get(each.debate.question.id);
    return outcome === undefined ? [] : [{ ...each, outcome, base: base.get(outcome.questionId) }];
  });
}

/** What a debate did to the answer. */
export type DebateKind = 'right' | 'saved' | 'spoilt' | 'tied' | 'wrong';

type PickedDebate = { readonly kind: DebateKind; readonly debate: Debate };

/**
 * A few debates of each kind: the first ones in the order of the questions, so that the choice is not made by hand.
 *
 * @param marks of the last evaluation, by question id
 * @param debates of the last evaluation; read only as far as needed
 */
async function pickDebates(
  marks: ReadonlyMap<string, Mark>,
  debates: AsyncIterable<Debate>,
  perKind = 2,
): Promise<PickedDebate[]> {
  const picked = new Map<DebateKind, PickedDebate[]>(debateKinds.map((kind) => [kind, []]));
  for await (const debate of debates) {
    const mark = marks.get(debate.question.id);
    if (mark === undefined) continue;
    const kind = kindOf(debate, mark);
    const ofKind = kind === undefined ? undefined : picked.get(kind);
    if (kind !== undefined && ofKind !== undefined && ofKind.length < perKind) ofKind.push({ kind, debate });
    if ([...picked.values()].every(({ length }) => length === perKind)) break;
  }
  return [...picked.values()].flat();
}

const debateKinds: readonly DebateKind[] = ['saved', 'spoilt', 'tied', 'right', 'wrong'];

/** Undefined for a debate of no kind, e.g. one that is right by majority although an agent was wrong. */
function kindOf(debate: Debate, mark: Mark): DebateKind | undefined {
  if (debate.consensus.tied > 1) return 'tied';
  if (mark.debate !== mark.majority) return mark.debate ? 'saved' : 'spoilt';
  if (!mark.debate) return 'wrong';
  return mark.single.right === mark.single.of ? 'right' : undefined;
}

/**
 * The held-out debates of an iteration, each with its outcome, one shard in memory at a time. Outcomes are held without the
 * questions' texts, which may be larger than memory.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function* heldOutDebates(
  files: ExperimentFiles,
  iteration: number,
): AsyncGenerator<{ readonly debate: Debate; readonly outcome: Outcome }> {
  const outcomes = new Map<string, Outcome>();
  for await (const row of streamRows(files.outcomes(iteration), outcomeSchema))
    outcomes.set(row.questionId, { ...row, question: '' });
  for await (const debate of readDebates(files.debates(iteration, 'heldout'))) {
    const outcome = outcomes.get(debate.question.id);
    if (outcome !== undefined) yield { debate, outcome };
  }
}

/**
 * The warnings about an experiment as far as it has come. A damaged record counts as missing: the step that needs it makes it again.
 *
 * @param upTo the last iteration that counts; 0 is the base model
 * @throws ArtifactMissing, ArtifactDamaged when its config is not whole
 */
export async function readWarnings(files: ExperimentFiles, upTo = Infinity): Promise<Warning[]> {
  // A remedy names the value of today, not the one that the experiment was begun with.
  const config = await configInForce(files, upTo);
  const begun = (await begunIterations(files)).filter((iteration) => iteration <= upTo);
  const records = await Promise.all(
    begun.map((each) => orNull(readDocument(files.record(each), iterationRecordSchema))),
  );
  const evaluated = await Promise.all(
    begun.map((each) => orNull(readDocument(files.evaluation(each), evaluationRecordSchema))),
  );
  const evaluations = evaluated.filter((each) => each !== null);
  const begunWith = await orNull(readDocument(files.begunWith, begunWithSchema));
  // Of an earlier number of iterations there may be another one. With a guard it is of the best iteration, the newest that has one.
  let distilled: DistilledRecord | null = null;
  for (const each of config.guard === undefined ? begun.slice(-1) : begun.toReversed())
    distilled ??= await orNull(readDocument(files.distilled(each), distilledRecordSchema));
  return warningsOf({
    config,
    distilled,
    heldOut: evaluations[0]?.evaluation.questions ?? 0,
    iterations: records.filter((each) => each !== null),
    evaluations: evaluations.map(({ evaluation, unreadable }) => ({
      iteration: evaluation.iteration,
      cutOff: evaluation.cutOff,
      unreadable,
    })),
    begunWith,
  });
}

async function orNull<Value>(read: Promise<Value | null>): Promise<Value | null> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof ArtifactDamaged) return null;
    throw error;
  }
}

/** An experiment has not finished: it has no result.json. */
export class NothingToReport extends ColloquyError {
  override name = 'NothingToReport' as const;
  // The files may become visible later: several hosts can share a store.
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  /** Absolute. */
  readonly folder: string;

  constructor(folder: string) {
    super(`There is no result.json in ${folder}: the experiment has not finished, or has another name.`);
    this.folder = folder;
  }
}
