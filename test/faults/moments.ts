/** The moments at which a fault strikes. Engine and trainer wait there, so that a moment is the same in each run. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../support/until.ts';
import { inFlight } from '../support/test-dependencies.ts';
import { answersAPhase, type World } from './world.ts';

export type Moment = {
  readonly name: string;
  /** Before the experiment starts. */
  readonly arrange: (world: World) => Promise<void>;
  readonly reached: (world: World, name: string) => Promise<unknown>;
};

type Hold = { readonly after: number; readonly round?: number; readonly fineTuned?: boolean };

/** All that may be in flight waits for the engine. */
function answering(name: string, hold: Hold): Moment {
  return {
    name,
    arrange: async ({ engine }) => {
      const { answered } = await engine.state();
      await engine.tell({ hold: { ...hold, after: answered + hold.after } });
    },
    reached: ({ engine }) => until(name, async () => (await engine.state()).held === inFlight, 180_000),
  };
}

function training(name: string, model: number, at: 'begin' | 'checkpoint' | 'manifest'): Moment {
  return {
    name,
    arrange: (world) => world.holdTrainer(model, at),
    reached: (world) => until(name, () => world.trainerIsHeld(), 180_000),
  };
}

/** Nothing waits: the worker goes on while the fault strikes. */
function writing(name: string, ...path: string[]): Moment {
  return {
    name,
    arrange: async () => undefined,
    reached: ({ storeRoot }, experiment) =>
      until(name, () => existsSync(join(storeRoot, experiment, ...path)), 180_000),
  };
}

export const moments = {
  baseEvaluation: answering('base evaluation', { after: 60 }),
  round1: answering('debate, round 1', { after: answersAPhase + 30, round: 1 }),
  round2: answering('debate, round 2', { after: answersAPhase + 60, round: 2 }),
  datasets: writing('datasets', 'iteration-1', 'datasets'),
  firstFineTune: training('first fine-tune', 0, 'begin'),
  thirdFineTune: training('third fine-tune, after a checkpoint', 2, 'checkpoint'),
  manifest: training('a manifest half written', 3, 'manifest'),
  evaluation: answering('evaluation', { after: 2 * answersAPhase + 60, fineTuned: true }),
  continueAsNew: writing('continue-as-new', 'iteration-0', 'evaluation.json'),
} satisfies Record<string, Moment>;

/** Lets whatever waits go on. */
export async function release(world: World): Promise<void> {
  await world.releaseTrainer();
  await world.engine.tell({ release: true }).catch(() => undefined);
}
