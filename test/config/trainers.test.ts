import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { loadTrainers } from '../../src/config/trainers.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'colloquy-trainers-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function trainersFrom(content: string) {
  const path = join(folder, 'trainers.yaml');
  writeFileSync(path, content);
  return () => loadTrainers({ COLLOQUY_TRAINERS: path });
}

describe('the trainers of a worker', () => {
  it('are one process of the worker when nothing is configured', () => {
    expect(loadTrainers({})).toEqual({ local: { kind: 'process' } });
  });

  it('are that one and those of the file', () => {
    const content = 'big: {kind: process, processes: 8, padding_free: false, attn_implementation: sdpa}';
    expect(trainersFrom(content)()).toEqual({
      local: { kind: 'process' },
      big: { kind: 'process', processes: 8, padding_free: false, attn_implementation: 'sdpa' },
    });
  });

  it('are also clusters of Ray, whose token is in an environment variable', () => {
    const content =
      'cluster: {kind: ray, url: "http://head:8265", api_key_env: RAY_AUTH_TOKEN, processes: 16, cpus_per_process: 8, gpus_per_process: 1, store: /mnt/runs, patience_minutes: 15}';
    expect(trainersFrom(content)()).toMatchObject({
      cluster: { kind: 'ray', url: 'http://head:8265', processes: 16, store: '/mnt/runs' },
    });
  });

  it.each([
    ['{kind: ray}', 'url: missing'],
    ['{kind: ray, url: "ray://head:10001"}', 'url: expected http(s)://host'],
    ['{kind: ray, url: "http://me:hunter2@head:8265"}', 'url: expected http(s)://host'],
    ['{kind: ray, url: "http://head", api_key_env: hunter2-is-my-token}', 'api_key_env: expected the NAME'],
    ['{kind: ray, url: "http://head", token: hunter2}', 'token: unknown key'],
    ['{kind: ray, url: "http://head", gpus_per_process: 2}', 'gpus_per_process: '],
    ['{kind: ray, url: "http://head", store: runs}', 'store: expected an absolute path'],
  ])('refuse a cluster %s, and do not repeat what may be a token', (cluster, message) => {
    const load = trainersFrom(`cluster: ${cluster}`);
    expect(load).toThrow(`cluster.${message}`);
    expect(load).not.toThrow('hunter2');
  });

  it.each([
    ['big: {kind: proces}', 'big.kind: expected "process", or "ray"'],
    ['big: {}', 'big.kind: missing'],
    ['big: {kind: process, threads: 2}', 'big.threads: unknown key'],
    ['big: {kind: process, processes: 0}', 'big.processes: expected a whole number from 1 to 64'],
    [
      'big: {kind: process, attn_implementation: flash}',
      'big.attn_implementation: expected one of "eager", "sdpa"',
    ],
    ['big: process', 'big: expected an object with kind'],
    ['- 1', 'found [1]'],
  ])('refuse %s', (content, message) => {
    expect(trainersFrom(content)).toThrow(message);
  });

  it('are all described by the example', () => {
    const example = join(projectRoot, 'configs', 'trainers.example.yaml');
    const kinds = Object.values(loadTrainers({ COLLOQUY_TRAINERS: example })).map(({ kind }) => kind);
    expect(kinds).toEqual(['process', 'ray']);
  });

  it.each(['', '# big: {kind: process}\n'])(
    'are the default one where the file describes none: %o',
    (content) => {
      expect(trainersFrom(content)()).toEqual({ local: { kind: 'process' } });
    },
  );

  it('refuse a file that is named and missing', () => {
    expect(() => loadTrainers({ COLLOQUY_TRAINERS: join(folder, 'none.yaml') })).toThrow('cannot be read');
  });
});
