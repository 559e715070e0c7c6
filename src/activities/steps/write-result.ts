/** What does an experiment leave: the record of each iteration, and the result? */
import type { z } from 'zod';
import { baseModelsOf } from '../../config/agents.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { tidying } from '../../engines/endpoint/adapters.ts';
import type { Endpoints } from '../../engines/endpoint/open.ts';
import { readWarnings } from '../../report/read/experiment.ts';
import { findDocument, readDocument, requireDocument, writeDocument } from '../../store/files/documents.ts';
import { changesOf, configInForce } from '../../store/records/config-changes.ts';
import { type DistilledRecord, distilledRecordSchema } from '../../store/records/iteration.ts';
import type { Distilled, ExperimentResult, Warning } from '../../store/records/result.ts';
import {
  evaluationRecordSchema,
  type IterationRecord,
  iterationRecordSchema,
  outcomeSchema,
} from '../../store/records/rows.ts';
import { experimentFiles, type ExperimentFiles } from '../../store/store.ts';
import { type Dependencies, type Running, versions } from '../activity.ts';
import {
  answerChoice,
  guardCourse,
  type GuardFigures,
  guardVerdict,
  rolledBack,
} from '../../algorithm/guard.ts';
import { type EarlyStop, tokensSaved } from '../../algorithm/measures/cost.ts';
import { guardOf, hasValidation } from '../../config/limits.ts';
import { writeReport } from '../../report/write.ts';
import { streamRows, writeRows } from '../../store/files/rows.ts';

type RecordRequest = { readonly experiment: string } & IterationRecord;

/**
 * Writes what an iteration did to iteration-I/record.json. The first record stays: an experiment that is started again finds its
 * steps done, and the seconds that this takes are not those that the iteration took.
 *
 * The models that the iteration has replaced are unloaded.
 *
 * @returns the warnings about the experiment as far as it has come
 */
export async function recordIteration(
  { experiment, ...record }: RecordRequest,
  { store, endpoints }: Dependencies,
  { signal }: Running,
): Promise<readonly Warning[]> {
  const files = experimentFiles(store, experiment);
  const path = files.record(record.iteration);
  if ((await findDocument(path, iterationRecordSchema)) === null) await writeDocument(path, record);
  await unloadReplaced(files, record.iteration, endpoints, signal);
  return readWarnings(files, record.iteration);
}

type DistilledRequest = { readonly experiment: string; readonly iteration: number } & DistilledRecord;

/** Writes what became of the one model that the group was distilled into to iteration-I/distilled.json. The first record stays, as above. */
export async function recordDistilled(
  { experiment, iteration, ...record }: DistilledRequest,
  { store }: Dependencies,
): Promise<readonly Warning[]> {
  const files = experimentFiles(store, experiment);
  const path = files.distilled(iteration);
  if ((await findDocument(path, distilledRecordSchema)) === null) await writeDocument(path, record);
  return readWarnings(files, iteration);
}

/** Unloads the models of an experiment that no agent has any more after an iteration. */
async function unloadReplaced(
  files: ExperimentFiles,
  iteration: number,
  endpoints: Endpoints,
  signal: AbortSignal,
): Promise<void> {
  const made: string[] = [];
  const current = new Map<string, string>();
  for (let each = 1; each <= iteration; each += 1) {
    const { fineTunes = [] } = (await findDocument(files.record(each), iterationRecordSchema)) ?? {};
    made.push(...keysOf(fineTunes));
    // Without a model it was not trained: its agent keeps the one before.
    for (const { agent, role, model } of fineTunes)
      if (model !== null) current.set(`${agent} ${role}`, model);
  }
  const kept = new Set(current.values());
  const replaced = new Set(made.filter((key) => !kept.has(key)));
  await unloadModels(await configInForce(files, iteration), replaced, endpoints, signal);
}

async function unloadModels(
  config: ExperimentConfig,
  keys: ReadonlySet<string>,
  endpoints: Endpoints,
  signal: AbortSignal,
): Promise<void> {
  if (keys.size === 0) return;
  const unneeded = new Set([...keys].map((key) => key.slice(0, 16)));
  for (const { model, agents } of baseModelsOf(config)) {
    if (agents.length === 0) continue;
    // This worker may not have the endpoint.
    await tidying(signal, () =>
      endpoints
        .for({ endpoint: model.endpoint, name: model.model_name_or_path })
        .unload(async (digits) => unneeded.has(digits), signal),
    );
  }
}

export function keysOf(fineTunes: IterationRecord['fineTunes']): string[] {
  return fineTunes.flatMap(({ model }) => (model === null ? [] : [model]));
}

type ResultRequest = {
  readonly experiment: string;
  /** L: how many iterations were done. */
  readonly iterations: number;
};

/** Writes result.json, evaluation.jsonl and report.html from what the iterations left in the store. A night's report is `closeNight`'s. */
export async function writeResult(
  { experiment, iterations }: ResultRequest,
  { store, endpoints }: Dependencies,
  { signal }: Running,
): Promise<ExperimentResult> {
  const files = experimentFiles(store, experiment);
  const evaluated = Array.from({ length: iterations + 1 }, (_, iteration) => iteration);
  const evaluations = await Promise.all(
    evaluated.map((each) => requireDocument(files.evaluation(each), evaluationRecordSchema)),
  );
  const records = await Promise.all(
    evaluated.slice(1).map((each) => requireDocument(files.record(each), iterationRecordSchema)),
  );
  const config = await configInForce(files);
  const validations = hasValidation(config.task)
    ? await Promise.all(
        evaluated.map((each) =>
          requireDocument(files.evaluation(each, 'validation'), evaluationRecordSchema),
        ),
      )
    : [];
  const measured = [...evaluations, ...validations];
  const decided = decide(
    config,
    validations.flatMap(({ figures }) => (figures === undefined ? [] : [figures])),
  );
  const best = decided.guard?.best ?? iterations;
  // The base model has no debates to learn from: where it is best, nothing was distilled.
  const distilled = config.distill === undefined || best === 0 ? null : await distilledOf(best, files);
  const fineTunes = [
    ...records.flatMap((record) => record.fineTunes),
    ...(distilled === null ? [] : [distilled.fineTune]),
  ];
  const all = new Set(keysOf(fineTunes));
  await unloadModels(config, all, endpoints, signal);
  const changes = await changesOf(files);
  await writeRows(files.allOutcomes, allOutcomes(evaluated, files));
  const seconds = {
    evaluation: sum(measured, (each) => each.seconds),
    debate: sum(records, (each) => each.seconds.debate),
    datasets: sum(records, (each) => each.seconds.datasets),
    fineTune: sum(records, (each) => each.seconds.fineTune),
  };
  const result: ExperimentResult = {
    formatVersion: 1,
    name: experiment,
    evaluations: evaluations.map(({ evaluation }) => evaluation),
    equalTokens: await equalTokens(evaluated, files),
    transfer: await transfer(Object.keys(config.transfer), best, files),
    iterations: records.map(({ tokens: _tokens, seconds: _seconds, earlyStop: _stops, ...record }) => record),
    ...(distilled === null ? {} : { distilled }),
    tokens: {
      debate: {
        prompt: sum(records, ({ tokens }) => tokens.debate.prompt),
        completion: sum(records, ({ tokens }) => tokens.debate.completion),
      },
      evaluation: {
        prompt: sum(measured, ({ tokens }) => tokens.prompt),
        completion: sum(measured, ({ tokens }) => tokens.completion),
      },
      fineTune: sum(records, ({ tokens }) => tokens.fineTune),
    },
    seconds: { ...seconds, total: seconds.evaluation + seconds.debate + seconds.datasets + seconds.fineTune },
    warnings: await readWarnings(files, iterations),
    ...(config.stop_when_unanimous && config.rounds > 1
      ? { earlyStops: earlyStops(records, evaluations) }
      : {}),
    ...(changes.length === 0 ? {} : { changes: [...changes] }),
    ...decided,
    versions: await versions(store, records),
    files: { config: 'config.json', evaluation: 'evaluation.jsonl', report: 'report.html' },
  };
  await writeDocument(files.result, result);
  if (config.carry_over === undefined) await writeReport(files);
  await store.blobs.tidy(files.folder.name);
  return result;
}

/** In the order of iterations, training questions first. */
function earlyStops(
  records: readonly IterationRecord[],
  evaluations: readonly z.infer<typeof evaluationRecordSchema>[],
): NonNullable<ExperimentResult['earlyStops']> {
  const found = (set: 'train' | 'heldout', iteration: number, counts: EarlyStop | undefined) =>
    counts === undefined ? [] : [{ iteration, set, counts, tokensSaved: tokensSaved(counts) }];
  return evaluations.flatMap(({ evaluation: { iteration }, earlyStop }) => [
    ...found('train', iteration, records.find((each) => each.iteration === iteration)?.earlyStop),
    ...found('heldout', iteration, earlyStop),
  ]);
}

/** The one model that the group was distilled into, with its evaluation beside that of the group. */
async function distilledOf(iteration: number, files: ExperimentFiles): Promise<Distilled> {
  const record = await requireDocument(files.distilled(iteration), distilledRecordSchema);
  if (record.fineTune.model === null) return { ...record, iteration, evaluation: null };
  const group = await requireDocument(files.evaluation(iteration), evaluationRecordSchema);
  const own = await requireDocument(files.evaluation(iteration, 'distilled'), evaluationRecordSchema);
  const { questions, single, debateVersusBase, cutOff } = own.evaluation;
  return {
    ...record,
    iteration,
    evaluation: {
      questions,
      accuracy: single,
      // Of this set of answers the step compares with the group's debate.
      versusDebate: debateVersusBase,
      debate: group.evaluation.debate,
      cutOff,
      tokens: own.tokens,
      debateTokens: group.tokens,
      seconds: own.seconds,
    },
  };
}

/** What the validation questions have decided, as the workflow did: nothing without any. */
function decide(
  config: ExperimentConfig,
  validation: readonly GuardFigures[],
): Pick<ExperimentResult, 'validation' | 'guard' | 'answer'> {
  if (validation.length === 0) return {};
  const settings = guardOf(config);
  const course = settings === undefined ? undefined : guardCourse(validation, settings);
  const chosen = validation[course?.best ?? validation.length - 1];
  return {
    validation: [...validation],
    ...(settings === undefined || course === undefined
      ? {}
      : {
          guard: {
            metric: settings.metric,
            best: course.best,
            stopped: course.stopped,
            steps: [...course.steps],
            rolledBack: rolledBack(course),
            said: guardVerdict(course, settings),
          },
        }),
    ...(config.answer === 'auto' && chosen !== undefined ? { answer: answerChoice(chosen) } : {}),
  };
}

async function equalTokens(
  iterations: readonly number[],
  files: ExperimentFiles,
): Promise<ExperimentResult['equalTokens']> {
  const measured = [];
  for (const iteration of iterations) {
    const record = await readDocument(files.evaluation(iteration, 'vote'), evaluationRecordSchema);
    if (record === null) continue;
    const { evaluation, votes = 0, tokens } = record;
    measured.push({ iteration, votes, majority: evaluation.majority, tokens });
  }
  return measured;
}

async function transfer(
  tasks: readonly string[],
  last: number,
  files: ExperimentFiles,
): Promise<ExperimentResult['transfer']> {
  const measured = [];
  for (const task of tasks) {
    for (const iteration of last === 0 ? [0] : [0, last]) {
      const record = files.evaluation(iteration, `transfer-${task}`);
      const { evaluation } = await requireDocument(record, evaluationRecordSchema);
      measured.push({ ...evaluation, task });
    }
  }
  return measured;
}

async function* allOutcomes(iterations: readonly number[], files: ExperimentFiles): AsyncGenerator<object> {
  for (const iteration of iterations) {
    for await (const outcome of streamRows(files.outcomes(iteration), outcomeSchema))
      yield { iteration, ...outcome };
  }
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
