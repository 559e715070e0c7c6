import { baseModelsOf } from '../../config/agents.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { tidying } from '../../engines/endpoint/adapters.ts';
import type { Endpoints } from '../../engines/endpoint/open.ts';
import { readWarnings } from '../../report/read/experiment.ts';
import { findDocument, writeDocument } from '../../store/files/documents.ts';
import { configInForce } from '../../store/records/config-changes.ts';
import { type DistilledRecord, distilledRecordSchema } from '../../store/records/iteration.ts';
import type { Warning } from '../../store/records/result.ts';
import { type IterationRecord, iterationRecordSchema } from '../../store/records/rows.ts';
import { experimentFiles, type ExperimentFiles } from '../../store/store.ts';
import type { Dependencies, Running } from '../activity.ts';

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

export async function unloadModels(
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
