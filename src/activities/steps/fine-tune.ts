import { z } from 'zod';
import { distilledModel } from '../../algorithm/agents.ts';
import { seedFor } from '../../algorithm/random.ts';
import { objectiveNames } from '../../algorithm/objectives.ts';
import { trainerSettings, type TrainerSettings } from '../../config/contract.ts';
import { InvalidConfig } from '../../config/faults.ts';
import { defaultTrainer } from '../../config/trainers.ts';
import { onAbort } from '../../engines/waiting.ts';
import { requireSameWeights, resolveModel } from '../../engines/endpoint/base-model.ts';
import { FineTuneStopped } from '../../engines/trainer/errors.ts';
import type { Trainers } from '../../engines/trainer/open.ts';
import { type FineTuneJob, type JobProgress, shown, type Trainer } from '../../engines/trainer/trainer.ts';
import { emit, type FineTune, type Span } from '../../observe/events.ts';
import { baseModelHash } from '../../store/base-model-files.ts';
import { ArtifactMissing, ModelCannotBeRemade } from '../../store/errors.ts';
import { isThere } from '../../store/blobs.ts';
import { readDocument, writeDocument } from '../../store/files/documents.ts';
import { requireIntact } from '../../store/files/rows.ts';
import { artifactRefSchema } from '../../store/files/sealed.ts';
import {
  findModel,
  type Model,
  modelKey,
  modelSchema,
  prunedManifest,
  pruneModel,
  removeCheckpoints,
  sealModel,
  type StoredManifest,
  tunedModel,
} from '../../store/models.ts';
import { configsInForce } from '../../store/records/config-changes.ts';
import type { Moved, Rewards, StepLoss } from '../../store/records/iteration.ts';
import { experimentFiles, type Store } from '../../store/store.ts';
import { type Dependencies, isCancelled, type Running } from '../activity.ts';

const fineTuneRequestSchema = z.strictObject({
  experiment: z.string(),
  iteration: z.number().int(),
  /** 1..N; when agents share the model, the first of them. */
  agent: z.number().int(),
  role: z.string(),
  dataset: artifactRefSchema,
  /** The model that training starts from. */
  init: modelSchema,
  /** By which the model learns from the dataset; absent for imitation. */
  objective: z.enum(objectiveNames).optional(),
});
type FineTuneRequest = z.infer<typeof fineTuneRequestSchema>;

/** `trained` is false when there was nothing to learn from, so that the model did not change. */
export type FineTuned = {
  readonly agent: number;
  readonly role: string;
  readonly model: Model;
  readonly trained: boolean;
  readonly rows: number;
  readonly steps: number;
  readonly tokens: number;
  readonly finalLoss: number | null;
  /** Of its rows, those longer than `max_length`. It and those below are absent in the histories of experiments that an older version began. */
  readonly droppedRows?: number;
  /** The loss over some of its steps, for a curve; none when an older version trained it. */
  readonly losses?: readonly StepLoss[];
  /** The highest learning rate of all steps; null when it was not trained, or by an older version. */
  readonly peakLearningRate?: number | null;
  /** The mean rewards of the last step; absent with imitation. */
  readonly rewards?: Rewards;
  readonly moved?: Moved | null;
};

/**
 * Fine-tunes a model on a dataset (section 2.3 of the paper). A finished model is found by its content address and never trained
 * again; a fine-tune that was begun continues from its newest complete checkpoint.
 *
 * @param needed the model's files were looked for in vain, so that it is made again also where `keep: last` removed it
 */
export async function fineTune(
  { needed = false, ...request }: FineTuneRequest & { readonly needed?: boolean },
  dependencies: Dependencies,
  running: Running,
): Promise<FineTuned> {
  const { agent, role, dataset } = request;
  const { model, manifest } = await findOrTrain(request, dependencies, running, { needed });
  const { moved } = manifest;
  const rewards = manifest.rewards?.at(-1);
  return {
    agent,
    role,
    model,
    trained: true,
    rows: dataset.rows,
    steps: manifest.steps,
    tokens: manifest.tokens,
    finalLoss: manifest.final_loss,
    droppedRows: manifest.dataset.dropped_rows,
    losses: manifest.losses,
    peakLearningRate: manifest.peak_learning_rate,
    ...(rewards === undefined ? {} : { rewards }),
    moved: moved === null ? null : { klPerToken: moved.kl_per_token, tokens: moved.tokens, rows: moved.rows },
  };
}

/** Removes models of an earlier iteration (`keep: last`) that this experiment made. Others may be the start of a series' next night. */
export async function pruneModels(
  {
    experiment,
    keys,
  }: { readonly experiment: string; readonly iteration: number; readonly keys: readonly string[] },
  { store }: Dependencies,
): Promise<void> {
  for (const key of keys) {
    const request = await readDocument(store.modelRequest(key), fineTuneRequestSchema);
    if (request?.experiment === experiment) await pruneModel(store, key);
  }
}

/** Makes a finished model again when its files are damaged or gone; returns at once when they are whole. */
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
  await findOrTrain(request, dependencies, running, { needed: true, expected: key });
}

async function findOrTrain(
  request: FineTuneRequest,
  { store, trainers }: Dependencies,
  running: Running,
  { needed, expected }: { readonly needed: boolean; readonly expected?: string },
): Promise<{ readonly model: Model; readonly manifest: StoredManifest }> {
  const { base, tuned } = request.init;
  await requireSameWeights(base);
  const [config, ...earlier] = await configsInForce(
    experimentFiles(store, request.experiment),
    request.iteration,
    request.role === distilledModel,
  );
  const seed = seedFor({
    seed: config.seed,
    iteration: request.iteration,
    purpose: `fine-tune ${request.role}`,
    agent: request.agent,
  });
  const baseHash = base.weights === base.name ? base.name : await baseModelHash(resolveModel(base.name));
  const keyOf = ({ settings, maker }: Training): string =>
    modelKey({
      base: baseHash,
      init: tuned?.key ?? null,
      datasetSha256: request.dataset.sha256,
      settings,
      seed,
      maker,
    });
  const objective = request.objective ?? 'imitation';
  const candidates = [config, ...earlier].map(({ fine_tune: each, trainer }) => ({
    settings: trainerSettings(each, objective),
    maker: trainers.for(trainer).maker,
  }));
  const training = await trainingOfThisModel(candidates, keyOf, request, store, expected);
  const key = keyOf(training);
  // A model that is made again has to be the same one: with other settings or weights, another one would be made in its place.
  if (expected !== undefined && key !== expected) throw new ModelCannotBeRemade(expected, key);
  const pruned = needed ? null : await prunedManifest(store, key);
  const finished = await findModel(store, key);
  if (finished === null && pruned !== null)
    return { model: tunedModel(base, key, pruned.form), manifest: pruned };
  let trained: Span | null = null;
  if (finished === null) {
    await requireFilesOf(request, store);
    // Settings may have changed since the experiment was prepared.
    const faults = trainers.for(config.trainer).faults(config);
    if (faults.length > 0) throw new InvalidConfig(faults);
    await writeDocument(store.modelRequest(key), request);
    const trainer = trainerOf(running.shownBefore, key, trainers) ?? config.trainer ?? defaultTrainer;
    const { init, dataset } = request;
    const job = { init, dataset, seed, settings: training.settings };
    trained = await train({ trainer, key, job, whose: request }, trainers, running);
  }
  // An earlier attempt may have stopped before this.
  await sealModel(store, key);
  const manifest = finished ?? (await findModel(store, key));
  if (manifest === null) throw new ArtifactMissing(store.model(key).where);
  if (trained !== null) {
    // While it was trained, nothing had its address yet: a prune may have taken an older request for unneeded as this one replaced it.
    if (!(await isThere(store.modelRequest(key)))) await writeDocument(store.modelRequest(key), request);
    const { steps, tokens } = manifest;
    emit('fine-tune ended', { ...agentOf(request), steps, tokens, ...trained });
  }
  await removeCheckpoints(store, key);
  return { model: tunedModel(base, key, manifest.form), manifest };
}

/** What a model's weights depend on, beside its data, its seed and the model that it begins from. */
type Training = { readonly settings: TrainerSettings; readonly maker: Trainer['maker'] };

/**
 * The settings that are in force; but those before a change in this iteration for a model that this experiment had finished by then,
 * or (where `expected` is its key) that is made again.
 */
async function trainingOfThisModel(
  [inForce, ...earlier]: readonly Training[],
  keyOf: (training: Training) => string,
  { experiment }: FineTuneRequest,
  store: Store,
  expected: string | undefined,
): Promise<Training> {
  if (inForce === undefined) throw new RangeError('There are no settings.');
  for (const training of earlier) {
    const key = keyOf(training);
    if (key === expected) return training;
    if (expected !== undefined || key === keyOf(inForce) || (await findModel(store, key)) === null) continue;
    const request = await readDocument(store.modelRequest(key), fineTuneRequestSchema);
    if (request?.experiment === experiment) return training;
  }
  return inForce;
}

/** @throws ArtifactMissing, ArtifactDamaged when the dataset or the initial model is not whole */
async function requireFilesOf({ dataset, init: { tuned } }: FineTuneRequest, store: Store): Promise<void> {
  await requireIntact(store.place(dataset.uri), dataset);
  if (tuned !== null && (await findModel(store, tuned.key)) === null)
    throw new ArtifactMissing(store.model(tuned.key).where);
}

/** What a heartbeat carries so that the next attempt can attach to the job. */
const attachmentSchema = z.object({ trainer: z.string(), key: z.string() });
type Attachment = Readonly<z.infer<typeof attachmentSchema>>;

/** The trainer that the attempt before gave this job to: the job may still run there. */
function trainerOf(shownBefore: unknown, key: string, trainers: Trainers): string | undefined {
  const { data } = attachmentSchema.safeParse(shownBefore);
  return data?.key === key && trainers.has(data.trainer) ? data.trainer : undefined;
}

/**
 * Has a trainer make a model, and reports its steps and its checkpoints. When `signal` aborts, stops the job first.
 *
 * @returns the time from the first event to the end
 */
async function train(
  { trainer: name, key, job, whose }: Attachment & { readonly job: FineTuneJob; readonly whose: FineTune },
  trainers: Trainers,
  { signal, show }: Running,
): Promise<Span> {
  const trainer = trainers.for(name);
  const attachment: Attachment = { trainer: name, key };
  const { iteration, agent, role } = whose;
  show({ ...attachment, iteration, agent, role });
  let beganAt: number | undefined;
  for (;;) {
    signal.throwIfAborted();
    await trainer.submit(key, job);
    const watching = new AbortController();
    const stopListening = onAbort(signal, () => {
      if (trainer.outlivesWorker && !isCancelled(signal)) return watching.abort(signal.reason);
      // The watch goes on until the job has stopped, so that the last checkpoint is reported too.
      const endWatch = (): void => watching.abort(signal.reason);
      trainer.stop(key).then(endWatch, endWatch);
    });
    try {
      for await (const event of trainer.watch(key, watching.signal)) {
        beganAt ??= Date.now();
        show(shown(event));
        reportEvent(agentOf(whose), event);
      }
      const endedAt = Date.now();
      return { beganAt: beganAt ?? endedAt, endedAt };
    } catch (error) {
      signal.throwIfAborted();
      // Another attempt, or another experiment that needs the same model, has stopped the job: this one still wants it.
      if (!(error instanceof FineTuneStopped)) throw error;
    } finally {
      stopListening();
    }
  }
}

function agentOf({ experiment, iteration, agent, role }: FineTune): FineTune {
  return { experiment, iteration, agent, role };
}

function reportEvent(whose: FineTune, event: JobProgress): void {
  if (event.event === 'checkpoint') emit('checkpoint', { ...whose, step: event.step });
  if (event.event === 'waiting') emit('fine-tune waits', { ...whose, ...event });
  if (event.event === 'micro_batch') emit('micro-batch', { ...whose, ...event });
  if (event.event !== 'step') return;
  const { step, total_steps: totalSteps, loss, tokens_per_second: tokensPerSecond } = event;
  emit('fine-tune step', { ...whose, step, totalSteps, loss, tokensPerSecond });
}
