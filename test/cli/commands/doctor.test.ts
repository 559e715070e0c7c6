import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { announceSlow } from '../../../src/cli/commands/doctor.ts';
import type { Finding } from '../../../src/workers/machine.ts';
import { baseName, startVllm } from '../../engines/fixtures/vllm-server.ts';
import { rayStandIn } from '../../engines/ray-stand-in.ts';
import { colloquy } from '../colloquy.ts';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-doctor-'));
beforeEach(() => {
  vi.stubEnv('COLLOQUY_STORE', folder);
  vi.stubEnv('TEMPORAL_ADDRESS', '127.0.0.1:1');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

function endpoints(content: object): void {
  const file = join(folder, 'endpoints.yaml');
  writeFileSync(file, JSON.stringify(content));
  vi.stubEnv('COLLOQUY_ENDPOINTS', file);
}

async function examined(...argv: string[]): Promise<{ code: number; needs: Finding[]; machine: Finding[] }> {
  const { code, out } = await colloquy('doctor', '--json', ...argv);
  return { code, ...(JSON.parse(out) as { needs: Finding[]; machine: Finding[] }) };
}

it('shows what it waits for, and when it was found', async () => {
  vi.useFakeTimers();
  try {
    const lines: string[] = [];
    const onLook = announceSlow((line) => lines.push(line));
    let end: (found: Finding) => void = () => undefined;
    onLook('vLLM', new Promise((resolve) => (end = resolve)));
    onLook('Node', Promise.resolve({ what: 'Node', found: '24', state: 'ok' }));
    await vi.advanceTimersByTimeAsync(41_000);
    end({ what: 'vLLM', found: '0.32.0', state: 'ok' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toEqual([
      'looking for vLLM, for 3 s so far',
      'looking for vLLM, for 20 s so far',
      'looking for vLLM, for 40 s so far',
      'looked for vLLM: ok after 41 s',
    ]);
  } finally {
    vi.useRealTimers();
  }
});

describe('colloquy doctor', () => {
  it('shows what this machine has, and what quickstart needs of it', async () => {
    const { code, machine, needs } = await examined('quickstart');
    expect(machine.map(({ what }) => what)).toEqual([
      'Node',
      'Python of the engine',
      'Temporal CLI',
      'processor',
      'graphics cards',
      'vLLM',
      'store',
      'endpoints',
      'trainers',
      'Temporal server',
    ]);
    expect(needs.map(({ what }) => what)).toEqual([
      'endpoint local',
      'model engine/models/tiny-arithmetic',
      'trainer local',
    ]);
    expect([...machine, ...needs].filter(({ state }) => state === 'missing')).toEqual([]);
    expect(code).toBe(0);
  });

  it('ends with 1 and names what is missing', async () => {
    endpoints({ own: { kind: 'vllm', command: '/no/vllm' } });
    const { code, needs } = await examined(
      'quickstart',
      'model.endpoint=own',
      'model.model_name_or_path=./no/such/model',
      'trainer=far',
    );
    expect(code).toBe(1);
    expect(needs.filter(({ state }) => state === 'missing').map(({ found }) => found)).toEqual([
      expect.stringContaining('no vLLM at /no/vllm'),
      expect.stringContaining('there is no folder'),
      expect.stringContaining('no trainer is called "far"'),
    ]);
  });

  it('refuses what validate refuses, and does not look here for the model of a server', async () => {
    endpoints({
      server: { kind: 'vllm', url: 'http://127.0.0.1:1' },
      api: { kind: 'openai', url: 'http://127.0.0.1:1' },
    });
    const full = await examined('quickstart', 'model.endpoint=server', 'fine_tune.method=full');
    expect(full.needs[0]).toMatchObject({
      state: 'missing',
      found: expect.stringContaining('no whole models'),
    });
    const { code, needs } = await examined(
      'quickstart',
      'model.endpoint=api',
      'model.model_name_or_path=its/own/name',
    );
    expect(code).toBe(1);
    expect(needs.map(({ what }) => what)).toEqual(['endpoint api', 'trainer local']);
    expect(needs[0]?.found).toMatch(/serves no fine-tuned models/);
  });

  it('asks each server of an endpoint with several, as the endpoint goes on without one', async () => {
    await using server = await startVllm();
    endpoints({ two: { kind: 'vllm', url: [server.url, 'http://127.0.0.1:1'] } });
    const { needs } = await examined(
      'quickstart',
      'model.endpoint=two',
      `model.model_name_or_path=${baseName}`,
    );
    expect(needs[0]).toMatchObject({
      state: 'missing',
      found: expect.stringContaining('No answer from http://127.0.0.1:1'),
    });
  });

  it('asks the Ray cluster of a trainer what it has', async () => {
    const ray = await rayStandIn();
    const file = join(folder, 'trainers.yaml');
    writeFileSync(file, JSON.stringify({ local: { kind: 'ray', url: ray.url } }));
    vi.stubEnv('COLLOQUY_TRAINERS', file);
    const trainer = async () =>
      (await examined('quickstart')).needs.find(({ what }) => what === 'trainer local');
    expect(await trainer()).toMatchObject({
      state: 'missing',
      found: expect.stringContaining('1 CPU and 1 GPU each, and the cluster has 1 node (4 CPUs and no GPU)'),
    });
    ray.nodes = [{ CPU: 4, GPU: 1 }];
    expect(await trainer()).toMatchObject({
      state: 'ok',
      found: expect.stringContaining(`ray: ${ray.url} has`),
    });
    expect((await colloquy('validate', 'quickstart')).code).toBe(0);
    await ray.close();
    expect(await trainer()).toMatchObject({
      state: 'missing',
      found: expect.stringContaining('ECONNREFUSED'),
    });
    // The check of a config asks it too.
    const { code, err } = await colloquy('validate', 'quickstart');
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringContaining(`Ray at ${ray.url} cannot be asked`),
    });
  });

  it('ends with 1 for an endpoint that does not answer, and shows it as a list', async () => {
    endpoints({ dead: { kind: 'vllm', url: 'http://127.0.0.1:1' } });
    const named = await examined('quickstart', 'model.endpoint=dead', 'model=its/own/name');
    expect(named.needs.find(({ what }) => what === 'model its/own/name')).toMatchObject({
      state: 'missing',
      found: expect.stringContaining('the trainer loads the base model on the worker’s machine'),
    });
    const { code, out } = await colloquy('doctor', 'quickstart', 'model.endpoint=dead');
    expect(code).toBe(1);
    expect(out).toMatch(/missing {2}endpoint dead .*No answer from http:\/\/127\.0\.0\.1:1/);
    expect(out).toMatch(
      /\nNeeded, and missing or unusable: endpoint dead\. What to do stands beside each of them\.$/,
    );
  });
});
