/** The trainers that a worker has in use. Nothing else looks at a trainer's kind. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { childEnvironment, tools } from '../../config/installation.ts';
import { called } from '../../config/load.ts';
import {
  defaultTrainer,
  loadTrainers,
  type RayConfig,
  type TrainerConfig,
  trainerAbilities,
} from '../../config/trainers.ts';
import type { Store } from '../../store/store.ts';
import { createGpuGate } from '../gpu-gate.ts';
import { TrainerUnknown } from './errors.ts';
import { createHostedTrainer } from './openai.ts';
import { createProcessTrainer, type ProcessTrainerOptions } from './process.ts';
import { createRayTrainer, type RayTrainerOptions } from './ray.ts';
import { askedFor, askedText, createRayCluster, nodesText, requireRoom } from './ray-cluster.ts';
import type { Trainer } from './trainer.ts';

export interface Trainers {
  /**
   * The trainer of that name; without a name, the default one.
   *
   * @throws TrainerUnknown when the worker's configuration has no trainer of that name
   */
  for(name?: string): Trainer;
  /** Whether the worker's configuration has a trainer of that name; without a name, the default one. */
  has(name?: string): boolean;
  /** Closes all of them; resolves when nothing that they started is left. */
  close(): Promise<void>;
}

/** @param configs the worker's trainers by name, as `loadTrainers` gives them */
export function createTrainers(
  configs: Readonly<Record<string, TrainerConfig>>,
  deps: TrainerDeps,
): Trainers {
  const opened = new Map<string, Trainer>();
  const has = (name: string = defaultTrainer): boolean => Object.hasOwn(configs, name);

  return {
    for(name = defaultTrainer) {
      const known = opened.get(name);
      if (known !== undefined) return known;
      const config = has(name) ? configs[name] : undefined;
      if (config === undefined) throw new TrainerUnknown(name, Object.keys(configs));
      const trainer = openTrainer(config, deps, name);
      opened.set(name, trainer);
      return trainer;
    },
    has,
    async close() {
      await Promise.all([...opened.values()].map((trainer) => trainer.close()));
    },
  };
}

export interface TrainerDeps extends Pick<ProcessTrainerOptions, 'store' | 'gate'> {
  /** Of a trainer's process; only tests and benchmarks set them. */
  readonly process?: Partial<Omit<ProcessTrainerOptions, 'store' | 'gate'>>;
  /** Of a trainer on a cluster; only tests set them. */
  readonly ray?: Partial<Omit<RayTrainerOptions, 'store' | 'config'>>;
}

/**
 * The trainer that `config` describes. Nothing is started or reached before its first job.
 *
 * @param name of the trainer, for messages
 */
export function openTrainer(
  config: TrainerConfig,
  { store, gate, process, ray }: TrainerDeps,
  name: string = config.kind,
): Trainer {
  switch (config.kind) {
    case 'ray':
      return createRayTrainer({ store, config, ...ray });
    case 'process':
      return createProcessTrainer({ store, gate, device: config, ...process });
    case 'openai':
    default:
      config.kind satisfies 'openai';
      return createHostedTrainer(name, config, store);
  }
}

/** @throws what stands in the way of a fine-tune */
export async function trainerText(name: string, config: ExperimentConfig, store: Store): Promise<string> {
  const trainer = called(name, loadTrainers(), 'trainer');
  const [fault] = trainerAbilities(name, trainer).faults(config);
  if (fault !== undefined) throw new Error(`${fault.path}: ${fault.message}`);
  if (trainer.kind === 'ray') return rayText(trainer);
  if (trainer.kind === 'openai') {
    await reachTrainer(name, trainer, store);
    const price = trainer.price_per_million_tokens;
    return `openai: ${trainer.url} answers, at ${price === undefined ? 'a price that is not stated (price_per_million_tokens)' : `${price} for a million tokens (colloquy validate shows what that comes to)`}`;
  }
  const lacks = await trainerLacks(config);
  if (lacks !== null) throw new Error(lacks);
  return `${trainer.kind}: ${tools().python}`;
}

/**
 * Asks a server that trains whether it answers to the key and has a fine-tuning API, and a cluster whether it answers and has room. A process is
 * not started for that.
 *
 * @throws TrainingImpossible, RayCannotPlace, or the errors of the server or the cluster
 */
export async function reachTrainer(name: string, config: TrainerConfig, store: Store): Promise<void> {
  if (config.kind === 'process') return;
  if (config.kind === 'ray') return void (await rayText(config));
  const trainer = openTrainer(config, { store, gate: createGpuGate() }, name);
  const nothing = { examples: [], lora_target_modules: null };
  try {
    await trainer.check({ name: '' }, nothing, AbortSignal.timeout(30_000));
  } finally {
    await trainer.close();
  }
}

/** @throws RayCannotPlace, and the errors of a cluster that cannot be reached */
async function rayText(trainer: RayConfig): Promise<string> {
  const cluster = createRayCluster(trainer);
  try {
    const nodes = await cluster.nodes(AbortSignal.timeout(30_000));
    requireRoom(trainer, nodes);
    return `ray: ${trainer.url} has ${nodesText(nodes)}, and fine-tunes ask for ${askedText(askedFor(trainer))}`;
  } finally {
    cluster.close();
  }
}

/**
 * What the trainer lacks on this machine for the experiment's fine-tunes; null when it lacks nothing. Starts Python, which takes a moment,
 * where the method needs a package that is no part of the set-up.
 */
export async function trainerLacks({
  iterations,
  fine_tune,
  trainer = defaultTrainer,
}: ExperimentConfig): Promise<string | null> {
  if (iterations === 0 || fine_tune.method !== 'qlora') return null;
  if (called(trainer, loadTrainers(), 'trainer').kind !== 'process') return null;
  const search = 'import importlib.util; print(importlib.util.find_spec("bitsandbytes") is not None)';
  const options = { env: childEnvironment(), timeout: 60_000 };
  const { stdout } = await promisify(execFile)(tools().python, ['-c', search], options);
  return stdout.trim() === 'True'
    ? null
    : 'qlora needs the Python package bitsandbytes. Install it with: npx colloquy setup --qlora. Or take fine_tune.method: lora';
}
