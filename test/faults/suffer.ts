/** One experiment that suffers a fault at a moment, and everything that must hold afterwards. */
import { expect } from 'vitest';
import { inFlight } from '../support/test-dependencies.ts';
import { artifactsOf, finishedWork, leftovers } from './artifacts.ts';
import type { Fault } from './fault.ts';
import { type Moment, release } from './moments.ts';
import { endsByItself } from './what-people-see.ts';
import type { World } from './world.ts';

/** What was measured in one cell of docs/faults.md. */
export type Suffered = {
  /** Answers that the engine gave, or was about to give, more than once. */
  readonly askedTwice: number;
  /** Finished shards and fine-tunes that were made again. */
  readonly repeated: number;
  /** From the fault to the experiment's end. */
  readonly seconds: number;
};

export type Undisturbed = Readonly<Record<string, string>>;

/** Runs an experiment to its end, with the fault at the moment, and checks that it ends as if nothing had happened. */
export async function suffer(
  world: World,
  fault: Fault,
  moment: Moment,
  undisturbed: Undisturbed,
  name = 'experiment',
): Promise<Suffered> {
  try {
    return await sufferedBy(world, fault, moment, undisturbed, name);
  } catch (error) {
    // The next experiment in this world finds nothing that waits.
    await release(world);
    await world.client.workflow
      .getHandle(name)
      .terminate('its test failed')
      .catch(() => undefined);
    throw error;
  }
}

async function sufferedBy(
  world: World,
  fault: Fault,
  moment: Moment,
  undisturbed: Undisturbed,
  name: string,
): Promise<Suffered> {
  const before = { answers: await world.answers(), fineTunes: await world.fineTunes() };
  await moment.arrange(world);
  await world.start(name);
  await moment.reached(world, name);
  const finished = await finishedWork(world.storeRoot);
  const struck = Date.now();
  await fault.strike(world, name);
  await release(world);
  await endsByItself(world, name);
  const seconds = (Date.now() - struck) / 1000;
  expect(await world.worker().gateIsFree(), 'the GPU gate is free').toBe(true);
  expect(await artifactsOf(world.storeRoot, name)).toEqual(undisturbed);

  const answers = (await world.answers()).slice(before.answers.length);
  const fineTunes = (await world.fineTunes()).slice(before.fineTunes.length);
  const now = await finishedWork(world.storeRoot);
  const madeAgain = [...finished].filter(([path, identity]) => now.get(path) !== identity);
  const suffered = {
    askedTwice: answers.length - new Set(answers).size,
    repeated: madeAgain.length + fineTunes.length - new Set(fineTunes).size,
    seconds,
  };
  expect(suffered.askedTwice, 'answers asked twice').toBeLessThanOrEqual(inFlight * (fault.catches ?? 1));
  expect(suffered.repeated, 'finished shards and fine-tunes made again').toBe(fault.damages ?? 0);
  return suffered;
}

/** Ends the workers: no process is left, and nothing half-written. */
export async function endsClean(world: World): Promise<void> {
  await world.worker().kill('SIGTERM');
  await world.untilNothingIsLeft();
  expect(await leftovers(world.storeRoot)).toEqual([]);
}
