import type { z } from 'zod';
import {
  answerChoice,
  guardCourse,
  type GuardFigures,
  guardVerdict,
  rolledBack,
} from '../../algorithm/guard.ts';
import { type EarlyStop, tokensSaved } from '../../algorithm/measures/cost.ts';
import { guardOf, hasValidation } from '../../config/limits.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { readWarnings } from '../../report/read/experiment.ts';
import { writeReport } from '../../report/write.ts';
import { readDocument, requireDocument, writeDocument } from '../../store/files/documents.ts';
import { streamRows, writeRows } from '../../store/files/rows.ts';
import { changesOf, configInForce } from '../../store/records/config-changes.ts';
import { distilledRecordSchema } from '../../store/records/iteration.ts';
import { type Distilled, type ExperimentResult } from '../../store/records/result.ts';
import {
  evaluationRecordSchema,
  type IterationRecord,
  iterationRecordSchema,
  outcomeSchema,
} from '../../store/records/rows.ts';
import { experimentFiles, type ExperimentFiles } from '../../store/store.ts';
import { type Dependencies, type Running, versions } from '../activity.ts';

import { keysOf, unloadModels } from './record-iteration.ts';

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
