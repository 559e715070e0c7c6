/** The trainers that a worker has in use. Nothing else looks at a trainer's kind. */
import { defaultTrainer, type TrainerConfig } from '../../config/trainers.ts';
import { TrainerUnknown } from './errors.ts';
import { createProcessTrainer, type ProcessTrainerOptions } from './process.ts';
import { createRayTrainer, type RayTrainerOptions } from './ray.ts';
import type { Trainer } from './trainer.ts';

export interface Trainers {
  /**
   * The trainer of that name; without a name, the default one.
   *
   * @throws TrainerUnknown when the worker's configuration has no trainer of that name
   */
  for(name?: string): Trainer;
  /** Whether the worker's configuration has a trainer of that name. */
  has(name: string): boolean;
  /** Closes all of them; resolves when nothing that they started is left. */
  close(): Promise<void>;
}

/** @param configs the worker's trainers by name, as `loadTrainers` gives them */
export function createTrainers(
  configs: Readonly<Record<string, TrainerConfig>>,
  deps: TrainerDeps,
): Trainers {
  const opened = new Map<string, Trainer>();
  const has = (name: string): boolean => Object.hasOwn(configs, name);

  return {
    for(name = defaultTrainer) {
      const known = opened.get(name);
      if (known !== undefined) return known;
      const config = has(name) ? configs[name] : undefined;
      if (config === undefined) throw new TrainerUnknown(name, Object.keys(configs));
      const trainer = openTrainer(config, deps);
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

/** The trainer that `config` describes. Nothing is started or reached before its first job. */
export function openTrainer(config: TrainerConfig, { store, gate, process, ray }: TrainerDeps): Trainer {
  switch (config.kind) {
    case 'ray':
      return createRayTrainer({ store, config, ...ray });
    case 'process':
    default:
      config.kind satisfies 'process';
      return createProcessTrainer({ store, gate, device: config, ...process });
  }
}
