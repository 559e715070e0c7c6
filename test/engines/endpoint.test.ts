/** The contract of every kind of endpoint, on the real embedded engine and model. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { resolveModel } from '../../src/engines/endpoint/base-model.ts';
import { createChatClient } from '../../src/engines/endpoint/chat-client.ts';
import { createLocalEndpoint } from '../../src/engines/endpoint/local.ts';
import { openEndpoint } from '../../src/engines/endpoint/open.ts';
import { createEnginePool } from '../../src/engines/process/engine-pool.ts';
import { createEngineProcess } from '../../src/engines/process/engine-process.ts';
import { createLiveEngines } from '../../src/engines/process/live-engines.ts';
import { endpointContract } from './endpoint.contract.ts';
import { embeddedModel, modelFolder } from './fixtures/adapter.ts';
import { groupAlive } from './fixtures/processes.ts';

const logFolder = mkdtempSync(join(tmpdir(), 'colloquy-endpoint-'));
const { signal } = new AbortController();
const engine = createEngineProcess({
  model: resolveModel(embeddedModel),
  servedModelName: embeddedModel,
  logFolder,
  // Scores are compared with those of transformers in double precision.
  args: ['--threads', '1', '--dtype', 'float64'],
});
const pool = createEnginePool(() => engine);
const local = createLocalEndpoint({ kind: 'local' }, embeddedModel, pool, modelFolder, createLiveEngines());

async function forgetAdapter(name: string): Promise<void> {
  const client = createChatClient({ url: (await engine.ready(signal)).url });
  await client.unloadAdapter(name, signal);
  client.close();
}

// The engine must outlast the four suites, which each close what they opened.
endpointContract({
  kind: 'local',
  open: async () => ({ ...local, close: async () => undefined }),
  adapters: true,
  sharesDevice: true,
  forgetAdapter,
});
for (const kind of ['vllm', 'openai'] as const) {
  const open = async (): Promise<ReturnType<typeof openEndpoint>> => {
    const { url } = await engine.ready(signal);
    return openEndpoint({ kind, url }, embeddedModel, { logFolder, modelFolder });
  };
  endpointContract({ kind, open, adapters: kind === 'vllm', sharesDevice: false, forgetAdapter });

  it(`an endpoint of kind ${kind} names the models that are served where the base model is not`, async () => {
    const { url } = await engine.ready(signal);
    const endpoint = openEndpoint({ kind, url }, 'another-model', { logFolder, modelFolder });
    await expect(endpoint.check()).rejects.toMatchObject({ name: 'ModelNotServed', model: 'another-model' });
    await endpoint.close();
  });
}

endpointContract({
  kind: 'vllm, with two servers',
  open: async () => {
    const { url } = await engine.ready(signal);
    // One server by two names, which an endpoint cannot tell from two with the same model.
    const urls = [url, url.replace('127.0.0.1', 'localhost')];
    return openEndpoint({ kind: 'vllm', url: urls }, embeddedModel, { logFolder, modelFolder });
  },
  adapters: true,
  sharesDevice: false,
  forgetAdapter,
});

it('the engine is gone once its endpoint is closed', async () => {
  const { pid } = await engine.ready(signal);
  await local.close();
  expect(groupAlive(pid)).toBe(false);
});

afterAll(() => local.close());
