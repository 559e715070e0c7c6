/** Fires recorded requests straight at an engine, with a process of its own like the worker's. See direct.ts. */
import { readFile } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import axios from 'axios';
import { serve } from './child.ts';
import type { Fire, Fired } from './direct.ts';

serve({
  // Of direct.ts, so always a Fire.
  fire: (argument) => fire(argument as Fire),
});

async function fire({ url, model, requests, concurrency, client }: Fire): Promise<Fired> {
  // Written by worker-main.ts: an array of requests that lack only the model.
  const bodies = (JSON.parse(await readFile(requests, 'utf8')) as object[]).map((body) => ({
    model,
    ...body,
  }));
  const agent = new Agent({ keepAlive: true, scheduling: 'lifo' });
  const send = client === 'axios' ? byAxios(url, agent) : byHttp(url, agent);
  let next = 0;
  let completionTokens = 0;
  const lane = async (): Promise<void> => {
    for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
      // An answer of the OpenAI protocol; another shape throws, and ends the benchmark.
      const answer = JSON.parse(await send(JSON.stringify(body))) as {
        usage: { completion_tokens: number };
      };
      completionTokens += answer.usage.completion_tokens;
    }
  };
  const cpu = process.cpuUsage();
  const began = performance.now();
  await Promise.all(Array.from({ length: concurrency }, lane));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  agent.destroy();
  return { answers: bodies.length, seconds, cpuMs: (user + system) / 1000, completionTokens };
}

type Send = (body: string) => Promise<string>;

function byAxios(url: string, httpAgent: Agent): Send {
  const client = axios.create({ httpAgent, headers: { 'Content-Type': 'application/json' } });
  return async (body) =>
    (await client.post<string>(url, body, { responseType: 'text', transformResponse: [] })).data;
}

function byHttp(url: string, agent: Agent): Send {
  const headers = { 'Content-Type': 'application/json' };
  const send: Send = async (body) =>
    new Promise((resolve, reject) => {
      const request = httpRequest(
        url,
        { agent, method: 'POST', headers: { ...headers, 'Content-Length': Buffer.byteLength(body) } },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (text += chunk));
          response.once('error', reject);
          response.once('end', () =>
            response.statusCode === 200
              ? resolve(text)
              : reject(new Error(`${response.statusCode ?? 0} ${text}`)),
          );
        },
      );
      request.once('error', (error: NodeJS.ErrnoException) => {
        // A server may close a kept connection in the moment in which a request comes.
        if (request.reusedSocket && error.code === 'ECONNRESET') resolve(send(body));
        else reject(error);
      });
      request.end(body);
    });
  return send;
}
