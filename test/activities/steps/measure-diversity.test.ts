import { rm } from 'node:fs/promises';
import { CancelledFailure } from '@temporalio/common';
import type { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { type DiversityRequest, measureDiversity } from '../../../src/activities/steps/measure-diversity.ts';
import type { Agent } from '../../../src/algorithm/agents.ts';
import { type ExperimentConfig, experimentConfigSchema } from '../../../src/config/experiment.ts';
import { createEndpoints } from '../../../src/engines/endpoint/open.ts';
import { readDocument, writeDocument } from '../../../src/store/files/documents.ts';
import { writeRows } from '../../../src/store/files/rows.ts';
import { manifestOf, type Model } from '../../../src/store/models.ts';
import { type DebateRow, diversitySchema } from '../../../src/store/records/rows.ts';
import { experimentFiles, openStore, type Store } from '../../../src/store/store.ts';
import { type OpenDependencies, openDependencies } from '../../../src/workers/start.ts';
import { type Asked, completion, json, serve, type TestServer } from '../../engines/fixtures/http-server.ts';
import { baseName, startVllm } from '../../engines/fixtures/vllm-server.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { adapterNamed, modelNamed } from '../../support/models.ts';
import { activityEnvironment, beatsOf, runStep } from '../../support/run-step.ts';
import { until } from '../../support/until.ts';

const base = modelNamed('instant');
const opened: OpenDependencies[] = [];
afterEach(() => Promise.all(opened.splice(0).map((each) => each.close())));

/** A character is a token. Adapter `a` finds ones likely (-0.1) and all else not (-1), `b` twos; the base model finds all alike (-0.7). */
function logprob(model: string, character: string): number {
  if (!model.startsWith('colloquy-')) return -0.7;
  return character === (model.endsWith('a') ? '1' : '2') ? -0.1 : -1;
}

/** A request that scores responses; the proof of an adapter leaves the end of its prompt to the server. */
const scores = ({ body }: Asked): boolean => 'add_generation_prompt' in body;

/** In place of a status: what is refused gets no answer at all. */
const never = 0;

function engine(refuses: (asked: Asked) => boolean = () => false, status = 400): Promise<TestServer> {
  return serve((response, asked) => {
    const { model, messages } = asked.body as { model: string; messages?: { content: string }[] };
    if (asked.path.endsWith('/embeddings')) {
      const data = (asked.body['input'] as string[]).map((text, index) => ({
        index,
        embedding: [Number(text.includes('1')), Number(text.includes('2'))],
      }));
      return json(response, { data });
    }
    if (messages === undefined) return json(response, {});
    if (scores(asked) && refuses(asked))
      return status === never
        ? undefined
        : json(response, { error: { message: 'maximum context length is 9' } }, status);
    const begun = asked.body['add_generation_prompt'] === true ? '>' : '';
    const characters = Array.from(messages.map(({ content }) => content).join('>') + begun);
    const prompt_logprobs = characters.map((character, place) =>
      place === 0 ? null : { [character.charCodeAt(0)]: { logprob: logprob(model, character) } },
    );
    return json(response, { ...completion('1'), prompt_logprobs });
  });
}

async function adapter(store: Store, digit: string): Promise<Model> {
  const key = digit.repeat(64);
  const manifest = {
    format_version: 1,
    base_model: { name_or_path: 'm', sha256: '' },
    form: 'adapter',
    init_model: null,
    dataset: { sha256: '', rows: 1, dropped_rows: 0 },
    settings: {},
    seed: 1,
    steps: 1,
    final_loss: 0,
    tokens: 1,
    seconds: 1,
    files: {},
    versions: {},
  };
  await writeDocument(manifestOf(store.model(key)), manifest);
  return adapterNamed(digit);
}

const agentsWith = (models: readonly Model[]): Agent<Model>[] =>
  models.map((model, index) => ({ number: index + 1, models: { generation: model, critic: base } }));

const texts = ['111', '22', '333'] as const;

function debateRow(id: string, responses: readonly string[]): DebateRow {
  const vote = { answer: null, votes: 0, tied: 0 };
  return {
    question: { id, text: 'What?' },
    dialogues: responses.map((content) => [
      { role: 'user', content: 'What?' },
      { role: 'assistant', content },
      { role: 'user', content: 'Sure?' },
      { role: 'assistant', content: 'No: 4' },
    ]),
    answers: responses.map((text) => [text.trim() === '' ? null : text, '4']),
    majority: vote,
    consensus: vote,
    agrees: responses.map(() => [false, false]),
    finishReasons: { responses: responses.map(() => ['stop', 'stop']), summaries: [] },
    tokens: { prompt: 1, completion: 1, firstRound: 1 },
    truncated: 0,
  };
}

/** An experiment whose held-out questions were debated: shards of two, all responses as said. */
async function debated(
  questions: number,
  kind: 'vllm' | 'openai',
  url: string,
  responses: readonly string[] = texts,
) {
  const store = openStore(temporaryFolder());
  const endpoints = createEndpoints(
    { instant: { kind, url } },
    { logFolder: store.logs, modelFolder: (key) => store.blobs.localCopy(store.model(key).name) },
  );
  const dependencies = openDependencies({ store, endpoints });
  opened.push(dependencies);
  const files = experimentFiles(store, 'e');
  const config: ExperimentConfig = experimentConfigSchema.parse({
    shard_size: 2,
    model: { endpoint: 'instant', model_name_or_path: 'instant' },
    task: { kind: 'arithmetic' },
  });
  await writeDocument(files.config, config);
  const ids = Array.from({ length: questions }, (_, index) => `heldout-${index}`);
  await writeRows(
    files.questions('heldout'),
    ids.map((id) => ({ id, text: 'What?', answer: '111' })),
  );
  const shards = Math.ceil(questions / 2);
  for (let shard = 0; shard < shards; shard++) {
    const rows = ids.slice(2 * shard, 2 * shard + 2).map((id) => debateRow(id, responses));
    await writeRows(files.shard(1, 'heldout', shard), rows);
  }
  const request = { experiment: 'e', iteration: 1, shards };
  const measured = async (
    agents: DiversityRequest['agents'],
    diversity: object = {},
    environment?: MockActivityEnvironment,
  ) => {
    await writeDocument(files.config, { ...config, diversity: { ...config.diversity, ...diversity } });
    const figures = await runStep(measureDiversity, { ...request, agents }, dependencies, environment);
    if (figures === null) throw new Error('Nothing was measured.');
    return figures;
  };
  return { store, files, measured };
}

const scorings = ({ asked }: TestServer) => asked.filter(scores);

/** As Temporal is given it. */
const refused = { type: 'EngineRefused', message: expect.stringContaining('status 403') };

describe('the diversity of agents', () => {
  it('comes from what each model thinks of all first responses', async () => {
    await using server = await engine();
    const { store, files, measured } = await debated(3, 'vllm', server.url);
    const agents = agentsWith([await adapter(store, 'a'), await adapter(store, 'b'), base]);
    const found = await measured(agents);
    const over3 = (value: number) => ({
      value: expect.closeTo(value, 9),
      standardError: expect.closeTo(0, 6),
      of: 3,
      questions: 3,
    });
    expect(found).toEqual({
      iteration: 1,
      encoder: 'ngrams',
      leftOut: null,
      // a and b find each other's, and the third's, at 1 a token; the base model finds theirs at 0.7: (4 * 1 + 2 * 0.7) / 6.
      nllOfOthers: over3(0.9),
      // a and b find their own at 0.1 a token, the base model at 0.7.
      nllOfOwn: over3(0.3),
      // On 111 a has -0.3, b -3 and the base -2.1; on 22 b has -0.2, a -2 and the base -1.4; on 333 the base has -2.1, a and b -3.
      // By response 2.7, 1.8, 1.8, 1.2, 0.9, 0.9; by token 0.9, 0.6, 0.9, 0.6, 0.3, 0.3.
      betweenAgents: { perToken: over3(0.6), perResponse: over3(1.55) },
      // 1.8, 1.2 and 0 by response; 0.6, 0.6 and 0 by token.
      fromBase: { perToken: over3(0.4), perResponse: over3(1) },
      // No two have a character in common.
      dissimilarity: over3(1),
      distinctAnswers: over3(3),
    });
    const { rows, ...document } = (await readDocument(files.diversity(1), diversitySchema))!;
    expect(document).toEqual(JSON.parse(JSON.stringify(found)));
    expect(rows.map(({ questionId }) => questionId)).toEqual(['heldout-0', 'heldout-1', 'heldout-2']);
  });

  it('of one base model is no divergence at all, and asks for each response once', async () => {
    await using server = await engine();
    const { measured } = await debated(1, 'vllm', server.url);
    const { nllOfOthers, betweenAgents, fromBase } = await measured(agentsWith([base, base, base]));
    expect(nllOfOthers!.value).toBeCloseTo(0.7, 9);
    const nothing = { value: 0, standardError: 0, of: 1, questions: 1 };
    expect(betweenAgents).toEqual({ perToken: nothing, perResponse: nothing });
    expect(fromBase).toEqual({ perToken: nothing, perResponse: nothing });
    // The prompt without a response, and with each of three.
    expect(scorings(server)).toHaveLength(4);
  });

  it('is measured on a sample, the same for any agents', async () => {
    await using server = await engine();
    const { files, measured } = await debated(9, 'vllm', server.url);
    const sampled = async () =>
      (await readDocument(files.diversity(1), diversitySchema))!.rows.map(({ questionId }) => questionId);
    await measured(agentsWith([base, base, base]), { questions: 4 });
    const ids = await sampled();
    expect(ids).toHaveLength(4);
    expect(ids).toEqual(ids.toSorted());
    await rm(files.diversity(1).where);
    await rm(`${files.diversity(1).where}.ref.json`);
    await measured(agentsWith([base, base]), { questions: 4 });
    expect(await sampled()).toEqual(ids);
  });

  it('is not measured again, and after a crash asks only for what is missing', async () => {
    let broken = true;
    await using server = await engine(({ body }) => broken && String(body['model']).endsWith('b'), 403);
    const { store, files, measured } = await debated(1, 'vllm', server.url);
    const agents = agentsWith([await adapter(store, 'a'), base, await adapter(store, 'b')]);
    await expect(measured(agents)).rejects.toMatchObject(refused);
    expect(await readDocument(files.diversity(1), diversitySchema)).toBeNull();
    broken = false;
    const before = scorings(server).length;
    const found = await measured(agents);
    const again = scorings(server).slice(before);
    // The prompt and three responses, by the one model that had not answered.
    expect(again.map(({ body }) => body['model'])).toEqual(Array(4).fill(`colloquy-${'b'.repeat(16)}`));
    expect(await measured(agents)).toEqual(found);
    expect(scorings(server)).toHaveLength(before + 4);
  });

  it('is stopped by a cancellation, and the next attempt asks only for what is missing, whatever was shown', async () => {
    let silent = true;
    await using server = await engine(({ body }) => silent && String(body['model']).endsWith('b'), never);
    const { store, measured } = await debated(1, 'vllm', server.url);
    const agents = agentsWith([await adapter(store, 'a'), base, await adapter(store, 'b')]);
    const environment = activityEnvironment();
    const beats = beatsOf(environment);
    const ended = measured(agents, {}, environment).catch((error: unknown) => error);
    // Of the two that answer, the prompt and three responses each.
    await until('all but one model have answered', () => scorings(server).length >= 2 * 4 + 1);
    const shown = beats.length;
    await until('it beats', () => beats.length > shown);
    expect(beats.at(-1)).toMatchObject({ questions: 0, total: 1 });
    environment.cancel();
    expect(await ended).toBeInstanceOf(CancelledFailure);

    silent = false;
    const before = scorings(server).length;
    const heartbeatDetails = { questions: 1, total: 1 };
    const next = activityEnvironment({ attempt: 2, heartbeatDetails });
    expect(await measured(agents, {}, next)).toMatchObject({ nllOfOthers: { of: 1 }, leftOut: null });
    const again = scorings(server).slice(before);
    expect(again.map(({ body }) => body['model'])).toEqual(Array(4).fill(`colloquy-${'b'.repeat(16)}`));
  });

  it('goes without likelihoods where the endpoint has none, and says so', async () => {
    await using server = await engine();
    const { measured } = await debated(2, 'openai', server.url);
    const found = await measured(agentsWith([base, base, base]));
    expect(found).toMatchObject({
      nllOfOthers: null,
      dissimilarity: { of: 2 },
      distinctAnswers: { value: 3 },
    });
    expect(found.leftOut).toMatch(/does not tell how likely/);
    expect(server.asked).toEqual([]);
  });

  it('leaves out the likelihoods of a question whose response fills the context, and says so', async () => {
    await using server = await engine(({ body }) => JSON.stringify(body).includes('333'));
    const { store, measured } = await debated(1, 'vllm', server.url);
    const found = await measured(agentsWith([await adapter(store, 'a'), base, base]));
    expect(found).toMatchObject({ nllOfOthers: null, distinctAnswers: { of: 1 } });
    expect(found.leftOut).toMatch(/maximum context length is 9/);
  });

  it.each([
    ['fails at them again and again', 500, 'CUDA error', 'status 500'],
    ['answers with something else', 200, 'Bad gateway', 'not the OpenAI protocol'],
  ])('goes without likelihoods where the endpoint %s', async (_, status, words, expected) => {
    await using server = await serve((response, asked) =>
      scores(asked)
        ? json(response, status === 200 ? words : { error: { message: words } }, status)
        : json(response, completion('1')),
    );
    const { measured } = await debated(1, 'vllm', server.url);
    const agents = agentsWith([base, base]);
    // It may pass: at first the step is tried again.
    await expect(measured(agents)).rejects.toMatchObject({ nonRetryable: false });
    const found = await measured(agents, {}, activityEnvironment({ attempt: 4 }));
    expect(found).toMatchObject({ nllOfOthers: null, dissimilarity: { of: 1 } });
    expect(found.leftOut).toContain(expected);
  });

  it('goes without likelihoods where the server dies of them, after it has died twice', async () => {
    await using server = await startVllm({ diesAt: (body) => 'prompt_logprobs' in body });
    const { measured } = await debated(1, 'vllm', server.url);
    const restarts = (async () => {
      for (let deaths = 0; deaths < 2; deaths += 1) {
        await until('the server has died', () => server.isDown());
        await server.start();
      }
    })();
    const found = await measured(agentsWith([modelNamed(baseName), modelNamed(baseName)]));
    await restarts;
    expect(found.leftOut).toMatch(/is not sent a third time/);
    expect(server.asked.filter(({ body }) => 'prompt_logprobs' in body)).toHaveLength(2);
  });

  it('is of any other error no result', async () => {
    await using server = await serve((response) => json(response, { error: 'x' }, 403));
    const { measured } = await debated(1, 'vllm', server.url);
    await expect(measured(agentsWith([base, base]))).rejects.toMatchObject(refused);
  });

  it('takes its vectors from a sentence encoder where one is named, a blank response being none', async () => {
    await using server = await engine();
    const { measured } = await debated(1, 'openai', server.url, ['11', '12', ' ']);
    const encoder = { endpoint: 'instant', model: 'a-sentence-encoder' };
    const found = await measured(agentsWith([base, base, base]), { encoder });
    expect(found.encoder).toBe('a-sentence-encoder');
    // (1, 0) and (1, 1) have a cosine of 1/sqrt(2), the blank one has none with either.
    expect(found.dissimilarity!.value).toBeCloseTo(1 - Math.SQRT1_2 / 3, 9);
    expect(server.asked).toMatchObject([{ body: { model: 'a-sentence-encoder', input: ['11', '12'] } }]);
    expect(found.distinctAnswers!.value).toBe(2);
  });
});
