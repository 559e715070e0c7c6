import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openEndpoint } from '../../src/engines/endpoint/open.ts';
import { json, serve } from './fixtures/http-server.ts';

const { signal } = new AbortController();
const modelFolder = (key: string): string => `/models/${key}`;
const logFolder = mkdtempSync(join(tmpdir(), 'colloquy-embed-'));

it.each(['vllm', 'openai'] as const)('an endpoint of kind %s embeds texts in their order', async (kind) => {
  await using server = await serve((response) =>
    json(response, {
      data: [
        { index: 1, embedding: [0, 1] },
        { index: 0, embedding: [1, 0] },
      ],
    }),
  );
  const endpoint = openEndpoint({ kind, url: server.url }, 'encoder', { logFolder, modelFolder });
  expect(await endpoint.embed(['a', 'b'], signal)).toEqual([
    [1, 0],
    [0, 1],
  ]);
  expect(server.asked).toMatchObject([
    { path: '/v1/embeddings', body: { model: 'encoder', input: ['a', 'b'], encoding_format: 'float' } },
  ]);
  await endpoint.close();
});

it('fewer embeddings than texts are an invalid answer', async () => {
  await using server = await serve((response) => json(response, { data: [{ index: 0, embedding: [1] }] }));
  const endpoint = openEndpoint({ kind: 'vllm', url: server.url }, 'encoder', { logFolder, modelFolder });
  await expect(endpoint.embed(['a', 'b'], signal)).rejects.toMatchObject({ name: 'EngineAnswerInvalid' });
  await endpoint.close();
});

it('the embedded engine says that it makes no embeddings, and is not started for it', async () => {
  const endpoint = openEndpoint({ kind: 'local' }, 'encoder', {
    logFolder,
    modelFolder,
    engine: { command: ['/no/python'] },
  });
  await expect(endpoint.embed(['a'], signal)).rejects.toMatchObject({
    name: 'EmbeddingsUnsupported',
    message: expect.stringContaining('ngrams'),
  });
  await endpoint.close();
});
