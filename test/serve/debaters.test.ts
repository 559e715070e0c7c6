import { describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../src/config/server-contract.ts';
import type { Endpoints } from '../../src/engines/endpoint/open.ts';
import { filesOfBaseModel, identifyBaseModel } from '../../src/engines/endpoint/base-model.ts';
import { openDebaters } from '../../src/serve/debaters.ts';
import { remove } from '../../src/store/blobs.ts';
import { storedConfigSchema } from '../../src/config/experiment.ts';
import { requireDocument, writeDocument } from '../../src/store/files/documents.ts';
import { sealPlace } from '../../src/store/files/sealed.ts';
import type { BegunWith } from '../../src/store/base-model-files.ts';
import { newestFinished } from '../../src/store/records/result.ts';
import { experimentFiles, openStore } from '../../src/store/store.ts';
import { type Model, weightsOf } from '../../src/store/models.ts';
import { writeExportableExperiment, writeModel } from '../export/exportable-experiment.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';

const store = openStore(temporaryFolder());
const key = (letter: string) => letter.repeat(64);
const { signal } = new AbortController();
for (const letter of ['1', '2', 'c']) writeModel(store, key(letter), letter);

/** Endpoints that note which weights were asked what, and answer 17. */
function notingEndpoints() {
  const asked: { weights: string; request: Omit<ChatRequest, 'model'> }[] = [];
  const served: string[] = [];
  let closed = false;
  const endpoint = {
    slots: { use: (work: () => Promise<unknown>) => work() },
    chat: async (model: Model, request: Omit<ChatRequest, 'model'>) => {
      asked.push({ weights: weightsOf(model), request });
      return { text: String.raw`\boxed{17}`, finishReason: 'stop', promptTokens: 10, completionTokens: 2 };
    },
  };
  const endpoints = {
    for: () => endpoint,
    of: async () => endpoint,
    expect: () => undefined,
    serve: async (models: readonly Model[]) => void served.push(...models.map(weightsOf)),
    close: async () => void (closed = true),
  } as unknown as Endpoints;
  return { endpoints, asked, served, isClosed: () => closed };
}

describe('the debaters of an experiment', () => {
  it('answer with the models that its last iteration left, in the roles of its method', async () => {
    await writeExportableExperiment(store, 'done', {
      modelOf: (_, agent, role) => (agent === 3 ? null : key(role === 'critic' ? 'c' : String(agent))),
    });
    const { endpoints, asked, served, isClosed } = notingEndpoints();
    const debaters = await openDebaters(store, { experiment: 'done', iteration: undefined }, endpoints);
    const debate = await debaters.debate('3+4*5-6', { signal, sampling: { max_tokens: 9 } });
    expect(debaters.iteration).toBe(1);
    expect(debate.consensus).toMatchObject({ answer: '17', votes: 3 });
    // Three first answers, three summaries, three revisions.
    expect(debate.tokens).toEqual({ prompt: 90, completion: 18 });
    const weights = asked.map((each) => each.weights);
    const base = served.find((each) => !/^[1-9c]{64}$/.test(each)) ?? '';
    expect(weights.slice(0, 3)).toEqual([key('1'), key('2'), base]);
    expect(weights.slice(-3)).toEqual([key('c'), key('c'), base]);
    expect(asked.every(({ request }) => request.max_tokens === 9)).toBe(true);
    await debaters.close();
    expect(isClosed()).toBe(true);
  });

  it('are those of the last iteration also where the experiment began with none and was given iterations later', async () => {
    const modelOf = () => key('1');
    await writeExportableExperiment(store, 'later', { modelOf });
    const { config } = experimentFiles(store, 'later');
    const begun = await requireDocument(config, storedConfigSchema);
    await writeDocument(config, { ...begun, iterations: 0 });
    const { endpoints } = notingEndpoints();
    const opened = await openDebaters(store, { experiment: 'later', iteration: undefined }, endpoints);
    expect(opened.iteration).toBe(1);
  });

  it('are the base model before the first iteration, and debate otherwise with another seed', async () => {
    const { endpoints, asked, served } = notingEndpoints();
    const debaters = await openDebaters(store, { experiment: 'done', iteration: 0 }, endpoints);
    await debaters.debate('3+4*5-6', { signal });
    await debaters.debate('3+4*5-6', { signal, seed: 5 });
    expect(new Set(served).size).toBe(1);
    const seeds = asked.map(({ request }) => request.seed);
    expect(seeds.slice(0, 9)).not.toEqual(seeds.slice(9));
  });

  it('are refused when their base model has other weights than when they were trained', async () => {
    const place = experimentFiles(store, 'done').begunWith;
    const base = await identifyBaseModel('local', 'engine/models/tiny-arithmetic');
    const files = await filesOfBaseModel(base);
    const openedAfter = async (weights: string) => {
      await writeDocument(place, {
        formatVersion: 1,
        models: [{ base: { ...base, weights }, files }],
        questionFiles: {},
        changedQuestionFiles: [],
      } satisfies BegunWith);
      return openDebaters(store, { experiment: 'done', iteration: undefined }, notingEndpoints().endpoints);
    };
    expect((await openedAfter(base.weights)).iteration).toBe(1);
    await expect(openedAfter('model.safetensors:old')).rejects.toThrow(
      `weights: model.safetensors:old then, ${base.weights} now\nPut the old one back`,
    );
    for (const each of [place, sealPlace(place)]) await remove(each);
  });

  it('are the one model of the group where that is asked for: it is asked once, without a summariser', async () => {
    await writeExportableExperiment(store, 'one', { distilled: key('d') });
    writeModel(store, key('d'), 'weights');
    const { endpoints, asked, served } = notingEndpoints();
    const wanted = { experiment: 'one', iteration: undefined, distilled: true };
    const debaters = await openDebaters(store, wanted, endpoints);
    const debate = await debaters.debate('3+4*5-6', { signal });
    expect(asked.map(({ weights }) => weights)).toEqual([key('d')]);
    expect(new Set(served)).toEqual(new Set([key('d')]));
    expect(debate.consensus).toMatchObject({ answer: '17', votes: 1 });
    expect(debate.tokens).toEqual({ prompt: 10, completion: 2 });
  });

  it('are refused as one model where the group was not distilled, saying what to do', async () => {
    await writeExportableExperiment(store, 'taught-nothing', { distilled: null });
    const opened = (experiment: string) =>
      openDebaters(store, { experiment, iteration: undefined, distilled: true });
    await expect(opened('done')).rejects.toThrow('its config has no distill. Run it under another name');
    await expect(opened('taught-nothing')).rejects.toThrow('may give nothing to learn from');
  });

  it('are refused when there is no such experiment', async () => {
    const wanted = { experiment: 'never', iteration: undefined };
    await expect(openDebaters(store, wanted)).rejects.toThrow('There is no config.json');
  });

  it('are by default those of the experiment that finished last', async () => {
    expect(await newestFinished(openStore(temporaryFolder()))).toBeNull();
    await writeExportableExperiment(store, 'later');
    await writeExportableExperiment(store, 'running', { finished: false });
    expect(await newestFinished(store)).toBe('later');
  });
});
