/**
 * The guard of running experiments: what they did under yesterday's workflow code, today's must be able to go on from. And its
 * proof: changes of the code that a running experiment would not survive.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { installRuntime } from '../../src/observe/install-runtime.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { bundleWorkflows } from '../../src/workers/bundle.ts';
import { type Change, changedWorkflows } from '../support/changed-workflows.ts';
import { historiesFolder, recordedFiles, replayRecorded } from '../support/recorded-histories.ts';
import { recordedShapes } from '../support/recorded-shapes.ts';
import { sharedBundle, withoutStackTraces } from '../support/shared-bundle.ts';

// Each replay's worker logs its beginning, its end and each history that differs: into the file of a worker, not to the terminal.
await installRuntime(join(temporaryFolder(), 'worker.log'));

const remedy =
  'A running experiment could not go on with this code. Released: make the change behind patched(), and keep the history. ' +
  'Not released: npm run record-histories. See CONTRIBUTING.md.';

describe('a recorded history', () => {
  const results = new Map<string, string | undefined>();
  beforeAll(async () => {
    for await (const { file, difference } of replayRecorded(await sharedBundle()))
      results.set(file, difference);
  });

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

/** A change of the code that gives other commands, the shape whose histories show it, and where it is made in src/workflows. */
const mutations: readonly [what: string, shape: string, place: string, change: Change][] = [
  [
    'the evaluation comes before the record of the iteration',
    'completed',
    'record',
    { before: 'await evaluateAgents({ ...state, agents }, control);' },
  ],
  [
    'the datasets are built while the questions are debated',
    'completed',
    'debates',
    { before: 'void buildDatasets(state, control);' },
  ],
  [
    'the models are fine-tuned one after another',
    'completed',
    'fine-tunes',
    { replace: 'models.length', by: '1' },
  ],
  [
    'the critic is fine-tuned before the generation model',
    'completed',
    'fine-tunes',
    { before: 'models.sort((a, b) => a.agent - b.agent || (a.role < b.role ? -1 : 1));' },
  ],
  ['half as many shards are pending at once', 'wide', 'window', { replace: '64', by: '32' }],
  ['the iteration is not recorded', 'reset', 'record', 'left out'],
  ['an iteration begins with a timer', 'cancelled', 'debates', { before: "await sdk.sleep('1s');" }],
  [
    'the iterations follow each other in one run',
    'completed',
    'next iteration',
    { before: 'return await experiment(input, { ...next, ...control.carried() });' },
  ],
  ['a step that has used up its retries ends the run', 'parked-retried', 'park', { before: 'throw error;' }],
  ['a pause lets its steps go on', 'updated', 'pause', 'left out'],
  ['damaged artifacts are left as they are', 'damaged', 'remake', 'left out'],
  [
    'what is still damaged at the end waits for a person at once',
    'begun-anew',
    'last resort',
    { replace: 'next.begunAnew', by: 'true' },
  ],
  ['a study runs its experiments one after another', 'study', 'cells', { replace: 'plan.parallel', by: '1' }],
  [
    'a study runs again what is finished',
    'study',
    'cells',
    { before: 'cells.splice(0, cells.length, ...cells.map((cell) => ({ ...cell, finished: false })));' },
  ],
  ['no model is distilled from the group', 'distilled', 'distil', 'left out'],
  ['the last night’s evaluation is held again', 'nights', 'adopt', 'left out'],
];
const patched = 'a pause is behind patched()';

describe('the recorded histories', () => {
  /** Has all of the changes; the one whose name stands in the place of `#change#` is made. */
  let code: string;
  beforeAll(async () => {
    const all = [
      ...mutations.map(([what, , place, change]) => ({ what, place, change })),
      {
        what: patched,
        place: 'debates',
        change: { before: "if (sdk.patched('a-pause')) await sdk.sleep('1s');" },
      },
    ];
    // Not a comparison of two constants, which the bundler would decide.
    const when = (what: string) => `['#change#'].includes('${what}')`;
    const root = await changedWorkflows(
      all.map(({ what, place, change }) => ({ place, change, when: when(what) })),
    );
    code = withoutStackTraces((await bundleWorkflows(root)).code);
  });

  /** Replays those of a shape, or all, with changed code until one differs: which, and how. */
  async function firstDifference(what: string, shape?: string): Promise<string | undefined> {
    const bundle = { code: code.replaceAll('#change#', what) };
    for await (const { file: name, difference } of replayRecorded(bundle, shape))
      if (difference !== undefined) return `${name}: ${difference}`;
    return undefined;
  }

  it.each(mutations)('do not replay when %s', async (what, shape) => {
    expect(await firstDifference(what, shape)).toMatch(/\.json: .*nondeterminism error/i);
  });

  it('replay when the change is behind patched()', async () => {
    expect(await firstDifference(patched)).toBeUndefined();
  });
});
