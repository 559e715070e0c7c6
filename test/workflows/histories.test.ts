/**
 * The guard of running experiments: what they did under yesterday's workflow code, today's must be able to go on from. And its
 * proof: changes of the code that a running experiment would not survive.
 */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '../../src/workers/bundle.ts';
import { copyOfTheSources } from '../support/copy-of-the-sources.ts';
import { historiesFolder, recordedFiles, replayRecorded } from '../support/recorded-histories.ts';
import { recordedShapes } from '../support/recorded-shapes.ts';
import { sharedBundle } from '../support/shared-bundle.ts';

// Each replay's worker would tell of its beginning, its end and each history that differs.
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }), forward: {} } },
});

const remedy =
  'A running experiment could not go on with this code. Released: make the change behind patched(), and keep the history. ' +
  'Not released: npm run record-histories. See CONTRIBUTING.md.';

describe('a recorded history', () => {
  const results = new Map<string, string | undefined>();
  beforeAll(async () => {
    for await (const { file, difference } of replayRecorded(await sharedBundle()))
      results.set(file, difference);
  }, 60_000);

  it.each(recordedFiles)('%s replays with the workflow code of today', (file) => {
    expect(results.has(file)).toBe(true);
    const difference = results.get(file);
    expect(difference, `test/histories/${file}: ${difference ?? ''}\n${remedy}`).toBeUndefined();
  });

  it('is there of each shape that an experiment can have', () => {
    const shapes = new Set(recordedFiles.map((file) => file.split('.')[0]));
    expect([...shapes]).toEqual(Object.keys(recordedShapes).toSorted());
  });

  it.each(recordedFiles)('%s is small', async (file) => {
    expect((await stat(join(historiesFolder, file))).size).toBeLessThan(300_000);
  });
});

/** A change of the code that gives other commands: the shape that tells, the file, what stands there, and what in its place. */
const mutations: readonly [change: string, shape: string, file: string, from: string, to: string][] = [
  [
    'the evaluation comes before the record of the iteration',
    'completed',
    'iterate.ts',
    '  await recordIteration(',
    '  await evaluateAgents({ ...state, agents }, control);\n  await recordIteration(',
  ],
  [
    'the datasets are built while the questions are debated',
    'completed',
    'iterate.ts',
    "  const debates = await debateQuestions(state, control, 'train');",
    "  void buildDatasets(state, control);\n  const debates = await debateQuestions(state, control, 'train');",
  ],
  [
    'the models are fine-tuned one after another',
    'completed',
    'fine-tune-agents.ts',
    'inWindow(models.length, models.length,',
    'inWindow(1, models.length,',
  ],
  [
    'the critic is fine-tuned before the generation model',
    'completed',
    'fine-tune-agents.ts',
    'datasets.map(({ role, rows }) =>',
    'datasets.toReversed().map(({ role, rows }) =>',
  ],
  [
    'half as many shards are pending at once',
    'wide',
    'debate-questions.ts',
    'const window = 64;',
    'const window = 32;',
  ],
  [
    'the iteration is not recorded',
    'reset',
    'iterate.ts',
    '  await recordIteration(',
    '  if (Date.now() < 0) await recordIteration(',
  ],
  [
    'an iteration begins with a timer',
    'cancelled',
    'iterate.ts',
    '  const beganDebates = Date.now();',
    "  const beganDebates = Date.now();\n  await sleep('1s');",
  ],
  [
    'the iterations follow each other in one run',
    'completed',
    'experiment.ts',
    'return continueOnCurrentVersion<typeof experiment>(',
    'return await experiment(',
  ],
  [
    'a step that has used up its retries ends the run',
    'parked-retried',
    'control.ts',
    'await park(name, error);',
    'throw error;',
  ],
  [
    'a pause lets its steps go on',
    'updated',
    'updates.ts',
    '      paused = true;\n      stopSteps();',
    '      paused = true;',
  ],
  [
    'damaged artifacts are left as they are',
    'damaged',
    'remaking-damaged.ts',
    'await remakeEarlier(state, control);',
    '',
  ],
  [
    'what is still damaged at the end waits for a person at once',
    'begun-anew',
    'experiment.ts',
    'next.begunAnew ? parks : beginsAnew',
    'parks',
  ],
  [
    'a study runs its experiments one after another',
    'study',
    'study.ts',
    'inWindow(plan.parallel, cells.length,',
    'inWindow(1, cells.length,',
  ],
  [
    'a study runs again what is finished',
    'study',
    'study.ts',
    'cell === undefined || cell.finished ||',
    'cell === undefined ||',
  ],
  [
    'the last night’s evaluation is held again',
    'nights',
    'night.ts',
    'if (from !== null)',
    'if (from !== null && Date.now() < 0)',
  ],
];

describe('the recorded histories', () => {
  let root: string;
  beforeAll(async () => {
    root = await copyOfTheSources();
  });

  /** Replays those of a shape, or all, with changed code until one differs: which, and how. */
  async function firstDifference(
    file: string,
    from: string,
    to: string,
    shape?: string,
  ): Promise<string | undefined> {
    const path = join(root, 'src', 'workflows', file);
    const text = await readFile(path, 'utf8');
    expect(text, `the code has changed: name another place in ${file}`).toContain(from);
    const imports = /\b(patched|sleep)\(/.test(to)
      ? "import { patched, sleep } from '@temporalio/workflow';\n"
      : '';
    await writeFile(path, imports + text.replace(from, to));
    const bundle = await bundleWorkflows(root);
    await writeFile(path, text);
    for await (const { file: name, difference } of replayRecorded(bundle, shape))
      if (difference !== undefined) return `${name}: ${difference}`;
    return undefined;
  }

  it.each(mutations)('do not replay when %s', async (_, shape, file, from, to) => {
    expect(await firstDifference(file, from, to, shape)).toMatch(/\.json: .*nondeterminism error/i);
  });

  it('replay when the change is behind patched()', async () => {
    const began = '  const beganDebates = Date.now();';
    expect(
      await firstDifference('iterate.ts', began, `${began}\n  if (patched('a-pause')) await sleep('1s');`),
    ).toBeUndefined();
  });
});
