import { z } from 'zod';
import { seedFor } from '../../algorithm/random.ts';
import {
  type FineTuneManifest,
  type TrainerDone,
  type TrainerProgress,
  trainerSettingsSchema,
} from '../../config/contract.ts';
import { resolveModel } from '../../engines/endpoint/base-model.ts';
import { type FineTune, emit } from '../../observe/events.ts';
import { ArtifactMissing } from '../../store/errors.ts';
import { readDocument, writeDocument } from '../../store/files/documents.ts';
import { requireIntact } from '../../store/files/rows.ts';
import { artifactRefSchema } from '../../store/files/sealed.ts';
import {
  adapterOf,
  baseModelHash,
  findModel,
  type Model,
  modelKey,
  modelOutput,
  modelSchema,
  removeCheckpoints,
  storeModel,
} from '../../store/models.ts';
import { experimentFiles } from '../../store/store.ts';
import type { Running } from '../activity.ts';
import { configOf, type Dependencies } from '../dependencies.ts';

const fineTuneRequestSchema = z.strictObject({
  experiment: z.string(),
  iteration: z.number().int(),
  /** 1..N; of those that share the model, the first. */
  agent: z.number().int(),
  role: z.string(),
  dataset: artifactRefSchema,
  /** The model that training starts from. */
  init: modelSchema,
});
type FineTuneRequest = z.infer<typeof fineTuneRequestSchema>;

/** A model after its fine-tune. `trained` is false when there was nothing to learn from, so that it stayed as it was. */
export type FineTuned = {
  readonly agent: number;
  readonly role: string;
  readonly model: Model;
  readonly trained: boolean;
  readonly rows: number;
  /** Optimiser steps. */
  readonly steps: number;
  readonly tokens: number;
  readonly finalLoss: number | null;
};

/**
 * Fine-tunes a model on a dataset (section 2.3 of the paper). What is finished is found by its content address and never trained
 * again; what was begun goes on from its newest complete checkpoint.
 */
export async function fineTune(
  request: FineTuneRequest,
  dependencies: Dependencies,
  running: Running,
): Promise<FineTuned> {
  const { agent, role, dataset } = request;
  const { model, manifest } = await findOrTrain(request, dependencies, running);
  return {
    agent,
    role,
    model,
    trained: true,
    rows: dataset.rows,
    steps: manifest.steps,
    tokens: manifest.tokens,
    finalLoss: manifest.final_loss,
  };
}

/** Makes a finished model again whose files are damaged or gone; returns at once when they are whole. */
export async function remakeModel(
  { key }: { readonly key: string },
  dependencies: Dependencies,
  running: Running,
): Promise<void> {
  if ((await findModel(dependencies.store, key)) !== null) return;
  const begunWith = dependencies.store.modelRequest(key);
  const request = await readDocument(begunWith, fineTuneRequestSchema);
  if (request === null) throw new ArtifactMissing(begunWith.where);
  const { tuned } = request.init;
  if (tuned !== null) await remakeModel({ key: tuned.key }, dependencies, running);
  await findOrTrain(request, dependencies, running);
}

type FinishedModel = { readonly model: Model; readonly manifest: FineTuneManifest };

async function findOrTrain(
  request: FineTuneRequest,
  { store, trainer, gate }: Dependencies,
  { signal, show }: Running,
): Promise<FinishedModel> {
  const config = await configOf(experimentFiles(store, request.experiment));
  const { base, tuned: init } = request.init;
  const folder = resolveModel(base.name);
  const settings = trainerSettingsSchema.parse(config.fine_tune);
  const seed = seedFor({
    seed: config.seed,
    iteration: request.iteration,
    purpose: `fine-tune ${request.role}`,
    agent: request.agent,
  });
  const key = modelKey({
    base: await baseModelHash(folder),
    init: init?.key ?? null,
    datasetSha256: request.dataset.sha256,
    settings,
    seed,
  });
  const finished = await findModel(store, key);
  if (finished !== null) {
    // The attempt that made it may have been stopped before it could do this.
    await storeModel(store, key);
    await removeCheckpoints(store, key);
    return { model: adapterOf(base, key), manifest: finished };
  }

  await requireIntact(store.place(request.dataset.uri), request.dataset);
  if (init !== null && (await findModel(store, init.key)) === null)
    throw new ArtifactMissing(store.model(init.key).where);
  await writeDocument(store.modelRequest(key), request);
  const job = {
    id: key.slice(0, 16),
    base_model: folder,
    init_adapter: init === null ? null : await store.blobs.localCopy(store.model(init.key).name),
    dataset: await store.blobs.localCopy(request.dataset.uri),
    output_dir: modelOutput(store, key),
    checkpoint_dir: store.checkpoints(key),
    seed,
    settings,
  };
  await gate.exclusive(signal, () =>
    reportFineTune(request, (onEvent) =>
      trainer.fineTune(job, {
        signal,
        onEvent: (event) => {
          show(shown(event));
          onEvent(event);
        },
      }),
    ),
  );
  await storeModel(store, key);
  const made = await findModel(store, key);
  if (made === null) throw new ArtifactMissing(store.model(key).where);
  await removeCheckpoints(store, key);
  return { model: adapterOf(base, key), manifest: made };
}

/** What people see of a running fine-tune. */
function shown(event: TrainerProgress): object {
  if (event.event === 'started') return { step: event.resumed_from_step, totalSteps: event.total_steps };
  if (event.event !== 'step') return { checkpoint: event.step };
  return {
    step: event.step,
    totalSteps: event.total_steps,
    loss: event.loss,
    tokensPerSecond: event.tokens_per_second,
  };
}

/** Runs a fine-tune and reports its steps, its checkpoints and its end. `train` is given what to call for each of its events. */
export async function reportFineTune(
  { experiment, iteration, agent, role }: FineTune,
  train: (onEvent: (event: TrainerProgress) => void) => Promise<TrainerDone>,
): Promise<void> {
  const whose = { experiment, iteration, agent, role };
  const beganAt = Date.now();
  const { manifest } = await train((event) => {
    const { event: kind } = event;
    if (kind === 'checkpoint') emit('checkpoint', { ...whose, step: event.step });
    if (kind !== 'step') return;
    const { step, total_steps: totalSteps, loss, tokens_per_second: tokensPerSecond } = event;
    emit('fine-tune step', { ...whose, step, totalSteps, loss, tokensPerSecond });
  });
  const { steps, tokens } = manifest;
  emit('fine-tune ended', { ...whose, steps, tokens, beganAt, endedAt: Date.now() });
}
