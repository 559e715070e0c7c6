import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { EndpointUnknown } from '../../src/engines/errors.ts';
import { createEndpoints, openEndpoint } from '../../src/engines/endpoint/open.ts';
import { modelNamed } from '../support/models.ts';
import { completion, json, oneRequest, serve } from './fixtures/http-server.ts';

const { signal } = new AbortController();
const deps = { logFolder: tmpdir(), modelFolder: async (key: string) => `/models/${key}` };
const { model: _, ...request } = oneRequest;

describe('the endpoints of a worker', () => {
  it('are one for each name and base model', async () => {
    const endpoints = createEndpoints(
      { local: { kind: 'local' }, far: { kind: 'openai', url: 'http://a/v1' } },
      deps,
    );
    expect(endpoints.for({ endpoint: 'local', name: 'm' })).toBe(
      endpoints.for({ endpoint: 'local', name: 'm' }),
    );
    expect(endpoints.for({ endpoint: 'local', name: 'm' })).not.toBe(
      endpoints.for({ endpoint: 'local', name: 'n' }),
    );
    expect(endpoints.for({ endpoint: 'far', name: 'm' })).not.toBe(
      endpoints.for({ endpoint: 'local', name: 'm' }),
    );
    await endpoints.close();
  });

  it.each(['lokal', 'toString'])(
    'that an experiment calls %s are unknown, and the message names those that are known',
    (name) => {
      const endpoints = createEndpoints({ local: { kind: 'local' } }, deps);
      expect(() => endpoints.for({ endpoint: name, name: 'm' })).toThrow(EndpointUnknown);
      expect(() => endpoints.for({ endpoint: name, name: 'm' })).toThrow(/it knows local/);
    },
  );
});

describe('an endpoint with a URL', () => {
  it('is asked under /v1 when its URL has no path', async () => {
    await using server = await serve((response) => json(response, completion('1')));
    const endpoint = openEndpoint({ kind: 'openai', url: new URL(server.url).origin }, 'm', deps);
    await endpoint.chat(modelNamed('m'), request, signal);
    expect(server.asked[0]).toMatchObject({ path: '/v1/chat/completions', body: { model: 'm' } });
    await endpoint.close();
  });

  it('has no more requests in flight than it may', async () => {
    const waiting: ServerResponse[] = [];
    let most = 0;
    // Answers come only when three requests wait for theirs.
    await using server = await serve((response) => {
      most = Math.max(most, waiting.push(response));
      if (waiting.length === 3) for (const one of waiting.splice(0)) json(one, completion('1'));
    });
    const endpoint = openEndpoint({ kind: 'openai', url: server.url, max_concurrency: 3 }, 'm', deps);
    const ask = () => endpoint.slots.use(() => endpoint.chat(modelNamed('m'), request, signal), signal);
    await Promise.all(Array.from({ length: 30 }, ask));
    expect(endpoint.slots.count).toBe(3);
    expect(most).toBe(3);
    await endpoint.close();
  });

  it('that lists no models passes its preflight when the base model gives a token', async () => {
    await using server = await serve((response, { path }) =>
      path === '/v1/models' ? json(response, {}, 404) : json(response, completion('1')),
    );
    const endpoint = openEndpoint({ kind: 'openai', url: server.url }, 'm', deps);
    await endpoint.check();
    expect(server.asked[1]!.body).toMatchObject({ model: 'm', max_tokens: 1 });
    await endpoint.close();
  });

  it('whose key is wrong fails its preflight in the words of the server', async () => {
    await using server = await serve((response) => json(response, { error: { message: 'Bad key' } }, 401));
    const endpoint = openEndpoint({ kind: 'openai', url: server.url }, 'm', deps);
    await expect(endpoint.check()).rejects.toMatchObject({
      name: 'EngineRefused',
      status: 401,
      words: 'Bad key',
    });
    await endpoint.close();
  });
});
