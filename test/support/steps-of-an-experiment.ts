import { rm } from 'node:fs/promises';
import { buildDatasets } from '../../src/activities/steps/build-datasets.ts';
import { debate } from '../../src/activities/steps/debate.ts';
import type { fineTune } from '../../src/activities/steps/fine-tune.ts';
import { prepare } from '../../src/activities/steps/prepare.ts';
import { baseAgents } from '../../src/algorithm/agents.ts';
import type { OpenDependencies } from '../../src/workers/start.ts';
import { type InstantEngine, startInstantEngine } from './instant-engine.ts';
import { runStep } from './run-step.ts';
import { scratchFolder } from './scratch-folder.ts';
import { smallExperiment } from './small-experiment.ts';
import { testDependencies } from './test-dependencies.ts';

type DebateShard = Parameters<typeof debate>[0];
type FineTuneRequest = Parameters<typeof fineTune>[0];

const experiment = 'steps';

/** The steps of a small experiment (two shards of eight questions, three agents), each to be run alone. */
export type StepsOfAnExperiment = AsyncDisposable & {
  readonly engine: InstantEngine;
  readonly dependencies: OpenDependencies;
  /** The input of the step that debates a shard of training questions. */
  readonly shard: (shard: number) => DebateShard;
  /** Debates both shards and makes the datasets of agent 1: the inputs of its fine-tunes. */
  readonly fineTunes: () => Promise<FineTuneRequest[]>;
};

/**
 * @param settings of its config that differ from the small experiment's
 * @param others the addresses of more engines with the same model: all of them are one endpoint
 */
export async function stepsOfAnExperiment(
  trainerArgs: readonly string[] = [],
  settings: object = {},
  others: readonly string[] = [],
): Promise<StepsOfAnExperiment> {
  const storeRoot = scratchFolder();
  const engine = await startInstantEngine();
  const dependencies = testDependencies({ storeRoot, engineUrl: [engine.url, ...others], trainerArgs });
  const plan = await runStep(
    prepare,
    { experiment, input: { ...smallExperiment, ...settings } },
    dependencies,
  );
  const { base } = plan;
  const agents = baseAgents(plan.bases ?? Array.from({ length: plan.agents }, () => base), plan.roles);
  const shard = (index: number): DebateShard => ({
    experiment,
    iteration: 1,
    split: 'train',
    shard: index,
    agents,
  });
  return {
    engine,
    dependencies,
    shard,
    fineTunes: async () => {
      for (const index of [0, 1]) await runStep(debate, shard(index), dependencies);
      const request = { experiment, iteration: 1, agents: [1], shards: 2 };
      const datasets = await runStep(buildDatasets, request, dependencies);
      return datasets.map(({ role, rows }) => ({
        experiment,
        iteration: 1,
        agent: 1,
        role,
        dataset: rows,
        init: base,
      }));
    },
    [Symbol.asyncDispose]: async () => {
      await dependencies.close();
      await engine[Symbol.asyncDispose]();
      await rm(storeRoot, { recursive: true, force: true });
    },
  };
}
