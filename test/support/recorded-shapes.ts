import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { taskQueues } from '../../src/workflows/temporal.ts';
import type { experiment } from '../../src/workflows/experiment.ts';
import type { study as studyWorkflow } from '../../src/workflows/study.ts';
import {
  abortUpdate,
  changeUpdate,
  pauseUpdate,
  progressQuery,
  resumeUpdate,
  retryUpdate,
  setBudgetUpdate,
  setIterationsUpdate,
} from '../../src/workflows/progress.ts';
import { setTotalBudgetUpdate } from '../../src/workflows/study-progress.ts';
import type { InstantEngine } from './instant-engine.ts';
import { smallExperiment } from './small-experiment.ts';
import { temporalCli } from './temporal-cli.ts';
import { until } from './until.ts';

export type RecordingWorld = {
  readonly client: Client;
  readonly engine: InstantEngine;
  readonly storeRoot: string;
};

/**
 * The courses that an experiment can take, a function for each that makes it happen. The workflow ids begin with the shape's name,
 * and so do the files in test/histories that the recording makes of all their runs.
 */
export const recordedShapes: Readonly<Record<string, (world: RecordingWorld) => Promise<unknown>>> = {
  completed: async (world) => (await start(world, 'completed', { iterations: 2 })).result(),

  // More shards than are pending at once.
  wide: async (world) =>
    (
      await start(world, 'wide', {
        agents: 1,
        min_votes: 1,
        rounds: 1,
        shard_size: 1,
        task: { train_size: 70, test_size: 1 },
      })
    ).result(),

  invalid: async (world) => failed(await start(world, 'invalid', { agnets: 3 })),

  retried: async (world) => {
    await world.engine.answerWith(500);
    const handle = await start(world, 'retried');
    await until('an activity was tried again', async () =>
      ((await handle.describe()).raw.pendingActivities ?? []).some(({ attempt }) => (attempt ?? 0) > 2),
    );
    await world.engine.answerWith(200);
    await handle.result();
  },

  budgeted: async (world) => {
    const handle = await start(world, 'budgeted', { budget: { tokens: 3_000, wall_seconds: 3_600 } });
    await until('its budget is used up', async () => (await handle.query(progressQuery)).state === 'parked');
    await handle.executeUpdate(setBudgetUpdate, { args: [{ tokens: null, wall_seconds: 7_200 }] });
    await handle.result();
  },

  'parked-retried': async (world) => {
    const handle = await startParked(world, 'parked-retried');
    await world.engine.answerWith(200);
    await handle.executeUpdate(retryUpdate);
    await handle.result();
  },

  // Settings by the update, the rest by signals.
  changed: async (world) => {
    const handle = await start(world, 'changed', { fine_tune: { learning_rate: 0.9 } });
    await until(
      'all fine-tunes wait for a person',
      async () => {
        const { waiting, inFlight } = await handle.query(progressQuery);
        return waiting.length > 0 && inFlight === 0;
      },
      120_000,
    );
    await handle.executeUpdate(changeUpdate, { args: [{ 'fine_tune.learning_rate': 0.1 }] });
    await handle.signal('pause');
    await handle.signal('pause');
    await handle.signal('setIterations', 2);
    await handle.signal('retry');
    await handle.signal('resume');
    await handle.result();
  },

  'parked-aborted': async (world) => {
    const handle = await startParked(world, 'parked-aborted');
    await handle.executeUpdate(abortUpdate, { args: ['for the record'] });
    await failed(handle);
    await world.engine.answerWith(200);
    await (await start(world, 'parked-aborted')).result();
  },

  cancelled: async (world) => {
    const handle = await start(world, 'cancelled', many);
    await until('it debates', async () => (await handle.query(progressQuery)).phase === 'debating');
    await handle.cancel();
    await failed(handle);
    await (await start(world, 'cancelled', many)).result();
  },

  terminated: async (world) => {
    const handle = await startParked(world, 'terminated');
    await handle.terminate('for the record');
    await world.engine.answerWith(200);
    await (await start(world, 'terminated')).result();
  },

  reset: async (world) => {
    await (await start(world, 'reset')).result();
    await temporalCli(['workflow', 'reset', '-w', 'reset', '--event-id', '4', '--reason', 'for the record']);
    await world.client.workflow.getHandle('reset').result();
  },

  updated: async (world) => {
    const handle = await start(world, 'updated', many);
    await until('it debates', async () => (await handle.query(progressQuery)).phase === 'debating');
    await handle.executeUpdate(pauseUpdate);
    await handle.executeUpdate(setIterationsUpdate, { args: [2] });
    await handle.executeUpdate(resumeUpdate);
    await handle.result();
  },

  damaged: async (world) => {
    const garble = (...path: string[]) => writeFile(join(world.storeRoot, ...path), 'garbage\n');
    const { iterations } = await (await start(world, 'damaged', { seed: 33 })).result();
    const model = iterations[0]?.fineTunes.find(({ model: key }) => key !== null)?.model ?? '';
    await garble('damaged', 'iteration-1', 'debates', 'shard-001.jsonl');
    await garble('damaged', 'iteration-0', 'outcomes.jsonl');
    await garble('models', model, 'adapter_model.safetensors');
    await (await start(world, 'damaged', { seed: 33, iterations: 2 })).result();

    // What an earlier run has made, in the middle of a later one.
    const handle = await start(world, 'damaged-later', { ...many, iterations: 2 });
    await until(
      'it debates again',
      async () => {
        const { phase, iteration } = await handle.query(progressQuery);
        return iteration === 2 && phase === 'debating';
      },
      120_000,
    );
    await handle.executeUpdate(pauseUpdate);
    await garble('damaged-later', 'iteration-0', 'outcomes.jsonl');
    await garble('damaged-later', 'iteration-0', 'evaluation', 'shard-000.jsonl');
    await handle.executeUpdate(resumeUpdate);
    await handle.result();
  },

  'begun-anew': async (world) => {
    const handle = await start(world, 'begun-anew', { ...many, iterations: 2 });
    await until(
      'it is in its second iteration',
      async () => (await handle.query(progressQuery)).iteration === 2,
      120_000,
    );
    await handle.executeUpdate(pauseUpdate);
    // Only the report reads it again, in a run that cannot make it.
    await writeFile(join(world.storeRoot, 'begun-anew', 'iteration-1', 'record.json'), 'garbage\n');
    await handle.executeUpdate(resumeUpdate);
    await handle.result();
  },

  // One model out of the group: of its debate, of its best agent by pairs, and where there was nothing to learn from.
  distilled: async (world) => {
    await (await start(world, 'distilled', { distill: { from: 'debate' } })).result();
    const pairs = { distill: { from: 'best', objective: 'dpo' }, min_pairs: 1 };
    await (await start(world, 'distilled-pairs', pairs)).result();
    await world.engine.answerRightly(0);
    const nothing = { ...pairs, min_votes: 3, max_votes: 3 };
    await (await start(world, 'distilled-without', nothing)).result();
    await world.engine.answerRightly(0.55);
  },

  // More first answers to training questions, of which generation models make pairs.
  sampled: async (world) => {
    const fine_tune = { objective: { generation: 'dpo' } };
    await (await start(world, 'sampled', { fine_tune, min_pairs: 1, samples: 2 })).result();
  },

  nights: async (world) => {
    const night = async (number: number): Promise<string | undefined> =>
      (await (await start(world, `nights-${number}`, { carry_over: { series: 'nights' } })).result()).night
        ?.outcome;
    const outcomes = [await night(1), await night(2)];
    await world.engine.answerRightly(0);
    outcomes.push(await night(3));
    await world.engine.answerRightly(0.55);
    if (outcomes.join() !== 'accepted,accepted,fell') throw new Error(`The nights were ${outcomes.join()}.`);
  },

  // The second iteration collapses, and the guard ends the experiment.
  guarded: async (world) => {
    await world.engine.tell({ bad: { from: 6, to: 12 } });
    const { guard } = await (
      await start(world, 'guarded', {
        iterations: 3,
        task: { train_size: 16, test_size: 16, validation_size: 16 },
        guard: { max_drop: 0.2 },
      })
    ).result();
    await world.engine.tell({ bad: { from: 0, to: 0 } });
    if (guard?.stopped !== 2) throw new Error(`The guard ended it after iteration ${guard?.stopped}.`);
  },

  study: async (world) => {
    const cells = { methods: ['base', 'debate'], settings: small, experiments: [{ name: 'sums' }] };
    const study = () =>
      world.client.workflow.start<typeof studyWorkflow>('study', {
        workflowId: 'study',
        taskQueue: taskQueues.control,
        args: [cells],
      });
    await world.engine.tell({ hold: { round: 2 } });
    const handle = await study();
    const debate = world.client.workflow.getHandle('study-sums-debate-s0');
    await until('it debates', async () => (await world.engine.state()).held > 0);
    await debate.executeUpdate(abortUpdate, { args: ['for the record'] });
    await world.engine.tell({ release: true });
    await failed(handle);
    await (await study()).result();
  },

  'total-budget': async (world) => {
    await world.engine.tell({ hold: { round: 2, fineTuned: true } });
    const handle = await world.client.workflow.start<typeof studyWorkflow>('study', {
      workflowId: 'total-budget',
      taskQueue: taskQueues.control,
      args: [
        {
          methods: ['multiagent-ft', 'base'],
          parallel: 1,
          settings: smallExperiment,
          experiments: [{ name: 'sums' }],
          total_budget: { tokens: 3_000 },
        },
      ],
    });
    const waits = world.client.workflow.getHandle('total-budget-sums-multiagent-ft-s0');
    await until(
      'its experiment waits',
      async () => {
        const progress = await waits.query(progressQuery).catch(() => null);
        return progress?.state === 'parked' && progress.inFlight === 0;
      },
      400_000,
    );
    await world.engine.tell({ release: true });
    await handle.executeUpdate(setTotalBudgetUpdate, { args: [{ tokens: null }] });
    await handle.result();
  },

  'halted-study': async (world) => {
    const cells = { methods: ['multiagent-ft'], settings: smallExperiment, experiments: [{ name: 'sums' }] };
    await world.engine.tell({ hold: { round: 2, fineTuned: true } });
    const handle = await world.client.workflow.start<typeof studyWorkflow>('study', {
      workflowId: 'halted-study',
      taskQueue: taskQueues.control,
      args: [cells],
    });
    await until('it evaluates', async () => (await world.engine.state()).held > 0);
    await handle.cancel();
    await failed(handle);
    await world.engine.tell({ release: true });
  },

  // The recording's worker sets search attributes for these two. When `searchable` was recorded, there were only three of them.
  searchable: async (world) => (await start(world, 'searchable')).result(),
  described: async (world) =>
    (await start(world, 'described', { carry_over: { series: 'described' }, iterations: 2 })).result(),

  misnamed: async ({ client }) =>
    failed(
      await client.workflow.start('expermient', { workflowId: 'misnamed', taskQueue: taskQueues.control }),
    ),
};

const { iterations: _, ...small } = smallExperiment;

/** Enough to be interrupted. */
const many = { task: { train_size: 96, test_size: 16 } };

type Handle = WorkflowHandle<typeof experiment>;

async function start({ client }: RecordingWorld, name: string, input: object = {}): Promise<Handle> {
  return client.workflow.start<typeof experiment>('experiment', {
    workflowId: name,
    taskQueue: taskQueues.control,
    args: [{ ...smallExperiment, ...input }],
  });
}

/** Starts it with an engine that refuses, and waits until each of its steps waits for a person. */
async function startParked(world: RecordingWorld, name: string): Promise<Handle> {
  await world.engine.answerWith(403);
  const handle = await start(world, name);
  await until(
    'both shards wait for a person',
    async () => (await handle.query(progressQuery)).waiting.length === 2,
  );
  return handle;
}

async function failed(handle: { workflowId: string; result: () => Promise<unknown> }): Promise<void> {
  const ended = await handle.result().then(
    () => 'completed',
    () => 'failed',
  );
  if (ended !== 'failed') throw new Error(`${handle.workflowId} was to fail, and completed.`);
}
