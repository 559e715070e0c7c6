/** What when a server gives no answer: against a small server that dies and is started again. */
import { afterEach, describe, expect, it } from 'vitest';
import { type ChatClient, createChatClient } from '../../src/engines/endpoint/chat-client.ts';
import type { NoAnswer } from '../../src/engines/endpoint/outages.ts';
import { onEvent } from '../../src/observe/events.ts';
import { until } from '../support/until.ts';
import { oneRequest } from './fixtures/http-server.ts';
import { type Body, startVllm, type VllmServer } from './fixtures/vllm-server.ts';

const { signal } = new AbortController();
const clients: ChatClient[] = [];

function patientClient({ url }: VllmServer, outageMs = 60_000): ChatClient {
  const client = createChatClient({ url, outageMs });
  clients.push(client);
  return client;
}

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

const asking = (content: string) => ({ ...oneRequest, messages: [{ role: 'user', content }] as const });
const says = (content: string) => (body: Body) =>
  JSON.stringify(body['messages'])?.includes(content) ?? false;

describe('a server that gives no answer', () => {
  it('is waited for, and everything in flight is asked again; one outage is reported once', async () => {
    await using server = await startVllm();
    const outages: NoAnswer[] = [];
    onEvent('no answer', (outage) => {
      if (server.url.startsWith(outage.url)) outages.push(outage);
    });
    const told: NoAnswer[] = [];
    const client = patientClient(server);
    await client.complete(oneRequest, signal);
    await server.kill();
    const questions = Array.from({ length: 20 }, (_, number) => `question ${number}`);
    const answers = questions.map((question) =>
      client.complete(asking(question), signal, (_, outage) => {
        if (outage !== undefined) told.push(outage);
      }),
    );
    await until('all requests wait', () => told.length === 20);
    await server.start();
    expect(new Set((await Promise.all(answers)).map(({ finishReason }) => finishReason))).toEqual(
      new Set(['length']),
    );
    expect(outages).toHaveLength(1);
    expect(outages[0]!.until.getTime() - outages[0]!.since.getTime()).toBe(60_000);
  });

  it('is not waited for longer than its limit, which the error states', async () => {
    await using server = await startVllm();
    const client = patientClient(server, 1);
    await server.kill();
    await expect(client.complete(oneRequest, signal)).rejects.toMatchObject({
      name: 'EngineSilent',
      retryable: false,
      message: expect.stringMatching(/No answer .* \(ECONNREFUSED\).*patience_minutes/),
    });
  });

  it('keeps no step that is stopped, and no client that is closed', async () => {
    await using server = await startVllm();
    const client = patientClient(server);
    await server.kill();
    const abort = new AbortController();
    const stopped = client.complete(oneRequest, abort.signal, () =>
      abort.abort(new Error('the worker stops')),
    );
    await expect(stopped).rejects.toThrow('the worker stops');
    const closed = client.complete(oneRequest, signal, () => client.close());
    await expect(closed).rejects.toMatchObject({ name: 'EngineClosed' });
  });
});

/**
 * Sends a request under which the server dies twice, and starts the server again after each death. Only when the client knows of the death: a server
 * that is there again at the client's first look has only broken a connection.
 */
async function sentThroughTwoDeaths(client: ChatClient, server: VllmServer): Promise<unknown> {
  let waits = false;
  const answer = client
    .complete(asking('deadly'), signal, () => (waits = true))
    .catch((error: unknown) => error);
  await until('the request waits', () => waits);
  await server.start();
  const outcome = await answer;
  await server.start();
  return outcome;
}

describe('a request under which the server dies', () => {
  it('is sent twice and not a third time, and the others are answered', async () => {
    await using server = await startVllm({ diesAt: says('deadly') });
    const client = patientClient(server);
    const deadly = sentThroughTwoDeaths(client, server);
    const others = Array.from({ length: 5 }, (_, number) =>
      client.complete(asking(`good ${number}`), signal),
    );
    expect(await deadly).toMatchObject({
      name: 'RequestEndsServer',
      retryable: false,
      message: expect.stringContaining('is not sent a third time'),
    });
    expect(await Promise.all(others)).toHaveLength(5);
    expect(server.asked.filter(({ body }) => says('deadly')(body))).toHaveLength(2);
  });

  it('on a connection that was kept open is found out too', async () => {
    await using server = await startVllm({ diesAt: says('deadly') });
    const client = patientClient(server);
    await client.complete(oneRequest, signal);
    expect(await sentThroughTwoDeaths(client, server)).toMatchObject({ name: 'RequestEndsServer' });
    expect(server.asked.filter(({ body }) => says('deadly')(body))).toHaveLength(2);
  });

  it('only together with another one is answered when each is sent alone', async () => {
    let together = 0;
    await using server = await startVllm({
      // Two such requests in one step, as with prompt_logprobs on an adapter for lm_head.
      diesAt: (body) => says('risky')(body) && (together += 1) === 2,
    });
    const client = patientClient(server);
    let waiting = 0;
    const both = ['risky 1', 'risky 2'].map((content) =>
      client.complete(asking(content), signal, () => (waiting += 1)),
    );
    await until('both requests wait', () => waiting === 2);
    await server.start();
    expect(await Promise.all(both)).toHaveLength(2);
  });

  it('may be asked again by a person, who is told that', async () => {
    await using server = await startVllm({ diesAt: says('deadly') });
    const client = patientClient(server);
    for (let round = 1; round <= 2; round += 1) {
      expect(await sentThroughTwoDeaths(client, server)).toMatchObject({ name: 'RequestEndsServer' });
    }
    expect(server.asked.filter(({ body }) => says('deadly')(body))).toHaveLength(4);
  });
});
