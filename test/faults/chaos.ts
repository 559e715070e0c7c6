/**
 * `npm run chaos -- --seed 1 --minutes 30`: experiments one after another, and faults that a seed chooses, at moments that a
 * seed chooses. After each experiment the invariants of docs/faults.md are checked; the first that is broken ends the run with 1.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { progressQuery, retryUpdate } from '../../src/workflows/progress.ts';
import { inFlight } from '../support/test-dependencies.ts';
import { artifactsOf, finishedWork, leftovers } from './artifacts.ts';
import { chaosFaults, chaosInput } from './chaos-faults.ts';
import { difference } from './difference.ts';
import { release } from './moments.ts';
import { startTestServer } from './test-server.ts';
import { openWorld, type World } from './world.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '5' },
    log: { type: 'string' },
  },
});
const generator = xoroshiro128plus(Number(values.seed));
const draw = (from: number, to: number): number => uniformInt(generator, from, to);
const end = Date.now() + Number(values.minutes) * 60_000;

const totals = { experiments: 0, faults: 0, askedTwice: 0, retries: 0 };
const broken: string[] = [];
const byFault = new Map<string, number>();

{
  await using server = await startTestServer();
  await using calm = await openWorld(server);
  await using world = await openWorld(server);
  // What the calm world asks and learns is the measure: it has its own store, engine and worker, and is never struck.
  await calm.startWorker();
  await world.startWorker();
  while (Date.now() < end && broken.length === 0) {
    const seed = draw(1, 1_000_000);
    await (await calm.start(`seed-${seed}`, chaosInput(`seed-${seed}`))).result();
    const expected = await artifactsOf(calm.storeRoot, `seed-${seed}`);
    await disturbed(world, seed, expected);
  }
  await world.worker().kill('SIGTERM');
  await world.untilNothingIsLeft();
  check(await leftovers(world.storeRoot), [], 'nothing half-written is left');
}
say(
  `${totals.experiments} experiments, ${totals.faults} faults, ${totals.askedTwice} answers asked twice, ${totals.retries} retries by a person`,
);
for (const [name, count] of [...byFault].toSorted(([a], [b]) => a.localeCompare(b)))
  say(`  ${count} x ${name}`);
for (const each of broken) say(`BROKEN: ${each}`);
say(broken.length === 0 ? 'No invariant was broken.' : `Seed ${values.seed}.`);
process.exit(broken.length === 0 ? 0 : 1);

async function disturbed(world: World, seed: number, expected: Record<string, string>): Promise<void> {
  const name = `seed-${seed}`;
  const before = { answers: (await world.answers()).length, fineTunes: (await world.fineTunes()).length };
  // Slow enough that faults find something under way.
  await world.engine.tell({ delay: draw(5, 60) });
  await world.start(name, chaosInput(name));
  let faults = 0;
  let finished = new Map<string, string>();
  const damaged = new Set<string>();
  for (;;) {
    await sleep(draw(200, 8_000));
    if (await hasEnded(world, name)) break;
    // After some time it is left in peace, so that it ends.
    if (faults >= 8) continue;
    const fault = chaosFaults[draw(0, chaosFaults.length - 1)];
    if (fault === undefined) continue;
    for (const [path, identity] of await finishedWork(world.storeRoot)) {
      if (finished.has(path) && finished.get(path) !== identity && !damaged.has(path)) {
        broken.push(`${name}: ${path} was made again`);
      }
    }
    finished = await finishedWork(world.storeRoot);
    say(`${name}: ${fault.name}`);
    await fault.strike(world, name, { draw, damaged });
    await release(world);
    faults += 1;
    byFault.set(fault.name, (byFault.get(fault.name) ?? 0) + 1);
  }
  if (damaged.size > 0) {
    // What the run had no more need to read is found, and made again, when the experiment is started again.
    await (await world.start(name, chaosInput(name))).result();
  }
  check(
    await artifactsOf(world.storeRoot, name),
    expected,
    `${name}: its artifacts are those of an undisturbed run`,
  );
  if (!(await world.worker().gateIsFree())) broken.push(`${name}: the GPU gate is held by nobody`);
  const answers = (await world.answers()).slice(before.answers);
  const fineTunes = (await world.fineTunes()).slice(before.fineTunes);
  const askedTwice = answers.length - new Set(answers).size;
  // What was damaged is asked for again: a shard of 16 questions has 96 answers.
  const allowed = faults * inFlight + damaged.size * 96;
  if (askedTwice > allowed)
    broken.push(`${name}: ${askedTwice} answers were asked twice, after ${faults} faults`);
  if (damaged.size === 0)
    check(fineTunes.length, new Set(fineTunes).size, `${name}: no fine-tune is finished twice`);
  totals.experiments += 1;
  totals.faults += faults;
  totals.askedTwice += askedTwice;
  say(`${name}: whole after ${faults} faults, ${askedTwice} answers asked twice`);
}

/** Whether the experiment has its result. One that waits for a person is retried, as all causes are gone by then. */
async function hasEnded(world: World, name: string): Promise<boolean> {
  const handle = world.client.workflow.getHandle(name);
  const { status } = await handle.describe();
  if (status.name === 'COMPLETED') return true;
  if (status.name !== 'RUNNING' && status.name !== 'CONTINUED_AS_NEW') {
    broken.push(`${name} is ${status.name}`);
    return true;
  }
  const progress = await handle.query(progressQuery).catch(() => undefined);
  if (progress?.state === 'parked') {
    const told = `put the cause right, then: colloquy retry ${name}`;
    check([progress.table['what to do']], [told], `${name}: people are told what to do`);
    say(
      `${name}: parked: ${progress.waiting.map(({ step, reason }) => `${step}: ${reason.slice(0, 200)}`).join(' | ')}`,
    );
    await handle.executeUpdate(retryUpdate).catch(() => undefined);
    totals.retries += 1;
  }
  if (Date.now() > end + 300_000) {
    broken.push(
      `${name} has not ended 5 minutes after the last fault: ${JSON.stringify(progress)?.slice(0, 600)}`,
    );
    return true;
  }
  return false;
}

function check(found: unknown, expected: unknown, what: string): void {
  if (JSON.stringify(found) === JSON.stringify(expected)) return;
  broken.push(`${what}: ${difference(found, expected)}`);
}

function say(text: string): void {
  const line = `${new Date().toISOString().slice(11, 19)} ${text}`;
  // oxlint-disable-next-line no-console -- this is a command
  console.log(line);
  if (values.log) appendFileSync(values.log, `${line}\n`);
}
