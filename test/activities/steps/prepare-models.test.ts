import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepare } from '../../../src/activities/steps/prepare.ts';
import { createEndpoints } from '../../../src/engines/endpoint/open.ts';
import { openStore } from '../../../src/store/store.ts';
import { type OpenDependencies, openDependencies } from '../../../src/workers/start.ts';
import { completion, json, serve } from '../../engines/fixtures/http-server.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { runStep } from '../../support/run-step.ts';
import { smallExperiment } from '../../support/small-experiment.ts';
import { longestRequest } from '../../../src/activities/steps/prepare-models.ts';
import { experimentConfigSchema } from '../../../src/config/experiment.ts';
import { createTasks } from '../../../src/questions/open-task.ts';

const storeRoot = temporaryFolder();
const folder = join(storeRoot, 'base');
const named = (model_name_or_path: string, endpoint = 'hosted') => ({
  model: { endpoint, model_name_or_path },
});

describe('preparing an experiment whose agents have base models of their own', () => {
  let servers: AsyncDisposable[];
  let dependencies: OpenDependencies;

  beforeAll(async () => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'model.safetensors'), 'weights');
    const hosted = await serve((response, { path, body }) => {
      const ids = ['one', 'two', 'strict', folder].map((id) => ({ id }));
      if (path === '/v1/models')
        return json(response, { data: [...ids, { id: 'narrow', max_model_len: 16 }] });
      const { model, messages = [] } = body as { model: string; messages?: object[] };
      if (model === 'strict' && messages.length > 1)
        return json(response, { error: { message: 'roles must alternate', code: 400 } }, 400);
      json(response, { ...completion('1'), model });
    });
    const untrainable = await serve((response, { path }) =>
      path === '/v1/models'
        ? json(response, { data: [{ id: 'fused' }] })
        : json(response, { error: { message: "no module is called 'q_proj'", code: 400 } }, 400),
    );
    servers = [hosted, untrainable];
    const store = openStore(storeRoot);
    const deps = { logFolder: store.logs, modelFolder: async () => storeRoot };
    const endpoints = {
      hosted: { kind: 'openai', url: hosted.url },
      gpu: { kind: 'vllm', url: untrainable.url },
      local: { kind: 'local' },
    } as const;
    dependencies = openDependencies({
      store,
      endpoints: createEndpoints(endpoints, deps),
      trainerConfigs: { local: { kind: 'process' } },
    });
  });
  afterAll(async () => {
    await dependencies.close();
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  });

  const run = (experiment: string, settings: object) => {
    const input = { ...smallExperiment, ...named('one'), iterations: 0, summarize: true, ...settings };
    return runStep(prepare, { experiment, input }, dependencies);
  };

  it('plans the base model of each agent, and the summariser where it is another one', async () => {
    const summarizer = named('two');
    const plan = await run('mixed', { agents: [{}, named(folder), {}], summarizer });
    expect(plan.bases?.map(({ base }) => base.name)).toEqual(['one', folder, 'one']);
    expect([plan.base.base.name, plan.summariser?.base.name]).toEqual(['one', 'two']);
    expect(plan.about?.model).toBe(`one and ${folder}`);
    const begun = JSON.parse(readFileSync(join(storeRoot, 'mixed', 'begun-with.json'), 'utf8')) as object;
    expect(begun).toMatchObject({
      models: [
        { base: { name: 'one', weights: 'one' } },
        { base: { name: folder, weights: expect.stringMatching(/^model\.safetensors:\w{64}$/) } },
        { base: { name: 'two' } },
      ],
    });
    expect(await run('mixed', { agents: [{}, named(folder), {}], summarizer })).toEqual(plan);

    writeFileSync(join(folder, 'model.safetensors'), 'other weights');
    await expect(run('mixed', { agents: [{}, named(folder), {}], summarizer })).rejects.toThrow(
      `The base model ${folder} is not the one that this experiment began with`,
    );
  });

  it('plans one base model, without a list, where all agents have the same', async () => {
    const plan = await run('equal', { agents: [{}, { sampling: { temperature: 0.5 } }, {}] });
    expect(plan).not.toHaveProperty('bases');
    expect(plan).not.toHaveProperty('summariser');
    expect(plan).toMatchObject({ agents: 3, base: { base: { name: 'one' } } });
  });

  it.each([
    ['an endpoint that no worker has', named('one', 'gpu9'), {}, /agents\.1\.model\.endpoint: .*gpu9/],
    [
      'a model that its server does not have',
      named('gpt-9'),
      {},
      /agents\.1\.model: ModelNotServed: .*gpt-9/,
    ],
    ['no folder', named('./not here', 'local'), {}, /agents\.1\.model\.model_name_or_path: .*not here/],
    [
      'a model whose chat template refuses a dialogue',
      named('strict'),
      {},
      /roles must alternate\nIt was about agents\.1\.model: strict at the endpoint hosted\./,
    ],
    [
      'a model with a context too short',
      named('narrow'),
      {},
      /agents\.1\.model: MaxTokensTooLarge: .*16 tokens/,
    ],
    [
      'a model that serves no fine-tunes',
      named('two'),
      { iterations: 1, ...named('fused', 'gpu') },
      /agents\.1\.model\.endpoint: hosted serves no fine-tuned models/,
    ],
  ])('is refused for an agent with %s, with the place', async (what, agent, settings, words) => {
    const experiment = `agent-${what.replaceAll(' ', '-')}`;
    await expect(run(experiment, { agents: [{}, agent], ...settings })).rejects.toThrow(words);
  });

  it('names the agent whose model cannot be trained', async () => {
    const agents = [named('fused', 'gpu'), named('fused', 'gpu')];
    const summarizer = named('one');
    const one = { iterations: 1, agents, summarizer };
    // A summariser may be at an endpoint that serves no fine-tunes.
    await expect(run('untrainable', one)).rejects.toThrow(
      /agents\.0\.model: TrainingImpossible: .*no module is called 'q_proj'/,
    );
  });

  it('checks the summariser too, where there are summaries', async () => {
    const summarizer = named('gpt-9');
    await expect(run('summary', { summarize: true, summarizer })).rejects.toThrow(
      /summarizer\.model: ModelNotServed: .*gpt-9/,
    );
    await expect(run('no-summary', { summarize: false, summarizer })).resolves.toMatchObject({ agents: 3 });
  });
});

const task = { kind: 'arithmetic' };
const { answers } = createTasks().open(experimentConfigSchema.parse({ task }).task);

it.each([
  [
    'three agents and two rounds: its own and those of two others',
    { agents: 3, rounds: 2, summarize: false },
    3,
  ],
  ['three rounds: twice its own and those of two others', { agents: 3, rounds: 3, summarize: false }, 6],
  ['summaries: what is summarised', { agents: 4, rounds: 2, summarize: true }, 3],
  ['one round: none', { agents: 3, rounds: 1 }, 0],
])('the longest prompt of a debate of %s', async (_, settings, expected) => {
  const config = experimentConfigSchema.parse({ task, ...settings });
  const { messages, answers: found } = await longestRequest(
    config,
    { id: 'q', text: 'What is 1+1?' },
    answers,
    { agents: [1], summarises: true },
  );
  expect(found).toBe(expected);
  expect(messages.at(-1)?.role).toBe('user');
});
