/** How long does a step keep the process from all else? Heartbeats are lost when it is too long, and another attempt begins. */
import { afterAll, describe, expect, it } from 'vitest';
import { buildDatasets } from '../../../src/activities/steps/build-datasets.ts';
import { debate } from '../../../src/activities/steps/debate.ts';
import { evaluate } from '../../../src/activities/steps/evaluate.ts';
import { measureDiversity } from '../../../src/activities/steps/measure-diversity.ts';
import { writeResult } from '../../../src/activities/steps/write-result.ts';
import { baseAgents } from '../../../src/algorithm/agents.ts';
import { methods } from '../../../src/algorithm/methods.ts';
import { agentCount, experimentConfigSchema } from '../../../src/config/experiment.ts';
import { writeDocument } from '../../../src/store/files/documents.ts';
import { writeRows } from '../../../src/store/files/rows.ts';
import { experimentFiles, openStore } from '../../../src/store/store.ts';
import { openDependencies } from '../../../src/workers/start.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { endpointsThatSay } from '../../support/endpoints-that-say.ts';
import { modelNamed } from '../../support/models.ts';
import { runStep } from '../../support/run-step.ts';

/** A heartbeat is due every 20 s (src/workflows/temporal.ts); this leaves room for a slow machine. Milliseconds. */
const longest = 2_000;

const questions = 12;
const answerBytes = 200_000;
const store = openStore(temporaryFolder());
const files = experimentFiles(store, 'long');
const config = experimentConfigSchema.parse({ shard_size: questions, rounds: 2, diversity: { questions } });
const agents = baseAgents(
  Array.from({ length: agentCount(config) }, () => modelNamed('instant')),
  methods[config.method].roles,
);
const dependencies = openDependencies({
  store,
  endpoints: endpointsThatSay(({ seed }) => {
    const sentence = `Step ${seed}: we add \\(2 + 2\\) and get $4$, so the answer is 4. `;
    return `${sentence.repeat(answerBytes / sentence.length)}\n\\boxed{4}`;
  }),
});
afterAll(() => dependencies.close());

/**
 * The longest time that the process did nothing else while `work` ran, as CPU time: on a busy machine a process also waits for its turn.
 * Milliseconds.
 */
async function longestBlock(work: () => Promise<unknown>): Promise<number> {
  let block = 0;
  let before = process.cpuUsage();
  const look = (): void => {
    const { user, system } = process.cpuUsage(before);
    block = Math.max(block, (user + system) / 1000);
    before = process.cpuUsage();
  };
  const timer = setInterval(look, 5);
  try {
    await work();
    look();
  } finally {
    clearInterval(timer);
  }
  return block;
}

const tokens = { prompt: 0, completion: 0 };
const ids = Array.from({ length: questions }, (_, n) => ({ id: `q${n}`, text: `2+2 (${n})` }));
const shard = { experiment: 'long', iteration: 1, shard: 0, agents };
const base = { ...shard, iteration: 0, split: 'heldout' } as const;
const measured = { experiment: 'long', split: 'heldout', tokens, seconds: 1 } as const;

describe('with answers of 200 kB', () => {
  const steps: Record<string, () => Promise<unknown>> = {
    'debate of held-out questions': async () => {
      await writeDocument(files.config, config);
      await writeRows(files.questions('train'), ids);
      await writeRows(
        files.questions('heldout'),
        ids.map((question) => ({ ...question, answer: '4' })),
      );
      await runStep(debate, base, dependencies);
    },
    'debate of training questions': () => runStep(debate, { ...shard, split: 'train' }, dependencies),
    'a debate that is finished': () => runStep(debate, { ...shard, split: 'train' }, dependencies),
    evaluate: () => runStep(evaluate, { ...measured, iteration: 0 }, dependencies),
    measureDiversity: () =>
      runStep(measureDiversity, { experiment: 'long', iteration: 0, shards: 1, agents }, dependencies),
    buildDatasets: () =>
      runStep(buildDatasets, { experiment: 'long', iteration: 1, agents: [1], shards: 1 }, dependencies),
    writeResult: () => runStep(writeResult, { experiment: 'long', iterations: 0 }, dependencies),
  };
  it.each(Object.entries(steps))(
    '%s never keeps the process from all else for long',
    async (_, step) => {
      expect(await longestBlock(step)).toBeLessThan(longest);
    },
    120_000,
  );
});
