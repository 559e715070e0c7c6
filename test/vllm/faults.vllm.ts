/** What ends a real vLLM, and what is left of it. */
import { readdirSync, readFileSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { createChatClient } from '../../src/engines/endpoint/chat-client.ts';
import { groupGone } from '../engines/fixtures/processes.ts';
import { embeddedModel, makeAdapter } from '../engines/fixtures/adapter.ts';
import { oneRequest } from '../engines/fixtures/http-server.ts';
import { modelNamed } from '../support/models.ts';
import { needs, realVllm, type RealVllm } from './real-vllm.ts';
import { errorOf } from '../support/error-of.ts';

const { signal } = new AbortController();
const base = modelNamed(embeddedModel);
const request = { ...oneRequest, seed: 1 };
const made: RealVllm[] = [];

function vllmWith(args: readonly string[] = [], model?: string): RealVllm {
  const server = realVllm(args, model);
  made.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(made.splice(0).map(({ endpoint }) => endpoint.close()));
});

/** The processes of a group, by what /proc calls them. */
function membersOf(group: number): { readonly pid: number; readonly title: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const [, fields = ''] = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ');
      const title = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return Number(fields.split(' ')[2]) === group ? [{ pid: Number(name), title }] : [];
    } catch {
      return [];
    }
  });
}

/** What the processes of a group hold, shared pages counted once for each. Bytes. */
function memoryOf(group: number): number {
  return membersOf(group).reduce((sum, { pid }) => {
    const pages = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1];
    return sum + Number(pages) * 4_096;
  }, 0);
}

describe('a real vLLM over a long time', () => {
  const { vllm, endpoint } = realVllm();
  afterAll(() => endpoint.close());

  it('has no more adapters and no more memory than its experiments need, over 30 iterations', async () => {
    const { url, pid } = await vllm.ready(signal);
    const client = createChatClient({ url });
    const memory: number[] = [];
    for (let iteration = 1; iteration <= 30; iteration += 1) {
      const models = Array.from({ length: needs.adapters }, (_, place) =>
        makeAdapter((needs.adapters * iteration + place).toString(16).padStart(4, '0'), 1 + place),
      );
      await endpoint.serve([base, ...models], signal);
      await Promise.all([base, ...models].map((model) => endpoint.chat(model, request, signal)));
      const names = (await client.listModels(signal)).map(({ id }) => id);
      // The two names of the base model.
      expect(names.length).toBeLessThanOrEqual(2 + needs.adapters);
      memory.push(memoryOf(pid));
    }
    client.close();
    process.stdout.write(`memory in MB: ${memory.map((bytes) => Math.round(bytes / 1e6)).join(' ')}\n`);
    // What an allocator keeps of the first iterations is no growth. 30 MB over 25 iterations are a MB for each.
    expect(Math.min(...memory.slice(-5)) - Math.max(...memory.slice(0, 5))).toBeLessThan(30e6);
  });

  it('survives kill -9 of each of its processes while it answers, leaves nothing, and has its adapters again', async () => {
    const adapters = ['1', '2', '3'].map((digit) => makeAdapter(digit, Number(digit)));
    const answers = (): Promise<string>[] =>
      [base, ...adapters].flatMap((model) =>
        [11, 12, 13, 14, 15, 16].map(async (number) => {
          const messages = [{ role: 'user', content: `${number}+3*8-5` }] as const;
          return (await endpoint.chat(model, { ...request, messages, temperature: 0 }, signal)).text;
        }),
      );
    const first = await Promise.all(answers());
    const guardian = /exit-with-parent/;
    for (const title of [/vllm serve|bin\/vllm/, /VLLM::EngineCore/, /VLLM::Worker/, guardian]) {
      const { pid: group } = await vllm.ready(signal);
      const victim = membersOf(group).find(
        (member) => title.test(member.title) && (member.pid === group) === (title === guardian),
      );
      const answering = answers();
      await Promise.race(answering);
      process.kill(victim!.pid, 'SIGKILL');
      expect(await Promise.all(answering)).toEqual(first);
      await vi.waitUntil(() => membersOf(group).length === 0, { timeout: 120_000 });
    }
    const { pid } = await vllm.ready(signal);
    await endpoint.close();
    await groupGone(pid);
  });
});

describe('a real vLLM that the worker runs', () => {
  it('leaves nothing behind when it is closed while it starts', async () => {
    const { endpoint, logFolder } = vllmWith();
    const checking = errorOf(endpoint.check());
    // Its first line comes when it has loaded PyTorch.
    await vi.waitUntil(() => logOf(logFolder).length > 0, { timeout: 600_000 });
    const before = readdirSync('/proc').filter((name) => isVllmIn(name, logFolder));
    await endpoint.close();
    await checking;
    expect(before.filter((name) => isVllmIn(name, logFolder))).toEqual([]);
  });

  it('with a flag that it does not know says which one', async () => {
    const { endpoint } = vllmWith(['--no-such-flag']);
    const error = await errorOf(endpoint.check());
    expect(error).toMatchObject({ name: 'VllmRefusesModel', retryable: false });
    expect(error.message).toContain('no-such-flag');
  });

  it('whose port is taken says so, and the other server is not taken for it', async () => {
    const other = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address() as { readonly port: number };
    const { endpoint } = vllmWith(['--port', String(address.port)]);
    const error = await errorOf(endpoint.check());
    expect(error).toMatchObject({ name: 'EngineDied' });
    expect(error.message).toMatch(/died 3 times in a row.*[Aa]ddress already in use/s);
    other.close();
  });

  it('of a model that is no model ends with the words of vLLM', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'colloquy-no-model-'));
    writeFileSync(join(folder, 'config.json'), '{"model_type": "no-such-type"}');
    const { endpoint } = vllmWith([], folder);
    const error = await errorOf(endpoint.check());
    expect(error).toMatchObject({ name: 'VllmRefusesModel' });
    expect(error.message).toContain('no-such-type');
  });

  it('for a model that is larger than the memory is not started', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'colloquy-large-model-'));
    const weights = join(folder, 'model.safetensors');
    writeFileSync(weights, '');
    truncateSync(weights, 2 ** 40);
    const { endpoint } = vllmWith([], folder);
    const error = await errorOf(endpoint.check());
    expect(error).toMatchObject({ name: 'DeviceMemoryTooSmall' });
    expect(error.message).toMatch(
      /needs at least 11\d\d\.\d GiB of this host's memory, and [\d.]+ GiB are free/,
    );
  });
});

function logOf(folder: string): string {
  const name = readdirSync(folder).find((each) => each.endsWith('.log'));
  return name === undefined ? '' : readFileSync(join(folder, name), 'utf8');
}

/** Whether a process is a vLLM of this test: its parent's log is in `folder`, so it began after it. */
function isVllmIn(pid: string, folder: string): boolean {
  try {
    const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return (
      /vllm/i.test(title) &&
      readFileSync(`/proc/${pid}/environ`, 'utf8').includes('VLLM_ALLOW_RUNTIME') &&
      folder !== ''
    );
  } catch {
    return false;
  }
}
