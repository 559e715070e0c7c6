import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { loadEndpoints } from '../../src/config/endpoints.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'colloquy-endpoints-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function endpointsFrom(content: string) {
  const path = join(folder, 'endpoints.yaml');
  writeFileSync(path, content);
  return () => loadEndpoints({ COLLOQUY_ENDPOINTS: path });
}

describe('the endpoints of a worker', () => {
  it('always have the embedded one, and those of the file', () => {
    const endpoints = endpointsFrom(
      'gpu: {kind: vllm, url: "http://gpu:8000/v1", api_key_env: VLLM_KEY, max_concurrency: 64}',
    );
    expect(endpoints()).toEqual({
      local: { kind: 'local' },
      gpu: { kind: 'vllm', url: 'http://gpu:8000/v1', api_key_env: 'VLLM_KEY', max_concurrency: 64 },
    });
  });

  it('may be a vLLM that the worker starts', () => {
    expect(endpointsFrom('gpu: {kind: vllm}')()['gpu']).toEqual({ kind: 'vllm' });
    const all = {
      kind: 'vllm',
      command: '/opt/vllm',
      devices: [1, 2],
      resident: 2,
      args: ['--dtype', 'float16'],
    };
    expect(endpointsFrom(JSON.stringify({ gpu: all }))()['gpu']).toEqual(all);
  });

  it('may be several servers of one model', () => {
    const url = ['http://gpu-1:8000/v1', 'http://gpu-2:8000/v1'];
    expect(endpointsFrom(JSON.stringify({ gpu: { kind: 'vllm', url } }))()['gpu']).toEqual({
      kind: 'vllm',
      url,
    });
  });

  it('are all in the example', () => {
    const example = join(projectRoot, 'configs', 'endpoints.example.yaml');
    const kinds = Object.values(loadEndpoints({ COLLOQUY_ENDPOINTS: example })).map(({ kind }) => kind);
    expect(kinds).toEqual(['local', 'vllm', 'vllm', 'vllm', 'openai']);
  });

  it('let the file limit the embedded one', () => {
    expect(endpointsFrom('local: {kind: local, max_concurrency: 4}')()).toEqual({
      local: { kind: 'local', max_concurrency: 4 },
    });
  });

  it.each([
    ['gpu: {kind: vlm, url: "http://gpu"}', 'gpu.kind: expected "local", or "vllm", or "openai"'],
    ['gpu: {kind: openai}', 'gpu.url: missing'],
    [
      'gpu: {kind: vllm, api_key_env: VLLM_KEY}',
      'gpu.api_key_env: has a meaning only with `url`: the worker’s own server needs no key and is waited for while it starts',
    ],
    ['gpu: {kind: vllm, url: "http://gpu", resident: 2}', 'gpu.resident: has a meaning only without `url`'],
    ['gpu: {kind: vllm, resident: 0}', 'gpu.resident: '],
    ['gpu: {kind: vllm, args: ["--port", "8000"]}', 'gpu.args.0: the worker has to set this flag itself'],
    ['gpu: {kind: vllm, args: ["--served_model_name=m"]}', 'gpu.args.0: the worker has to set this flag'],
    ['gpu: {kind: vllm, url: "http://gpu", devices: [0]}', 'gpu.devices: has a meaning only without `url`'],
    ['gpu: {kind: vllm, devices: []}', 'gpu.devices: may not be empty'],
    ['gpu: {kind: vllm, url: "ftp://gpu"}', 'gpu.url: expected http(s)://'],
    ['gpu: {kind: openai, url: ["http://gpu", "ftp://gpu"]}', 'gpu.url.1: expected http(s)://'],
    ['gpu: {kind: openai, url: ["http://gpu", "gpu:8000"]}', 'gpu.url.1: expected http(s)://'],
    ['gpu: {kind: openai, url: []}', 'gpu.url: may not be empty'],
    ['gpu: {kind: openai, url: ["http://gpu", "http://gpu"]}', 'gpu.url: names a server twice'],
    ['gpu: {kind: openai, url: ["http://gpu/v1", "http://gpu/"]}', 'gpu.url: names a server twice'],
    ['gpu: {kind: openai, url: 8000}', 'gpu.url: expected'],
    [
      'gpu: {kind: vllm, url: "http://gpu", max_concurrency: 0}',
      'gpu.max_concurrency: expected a whole number from 1 to 4096',
    ],
    ['local: {kind: local, url: "http://gpu"}', 'local.url: unknown key'],
    ['- 1', 'found [1]'],
  ])('refuse %s', (content, message) => {
    expect(endpointsFrom(content)).toThrow(message);
  });

  it.each([
    '/v1/sk-ant-abc',
    '/token/abc/v1',
    '/v1/hf_abcdef',
    '/4f9a8b7c6d5e4f3a2b1c/v1',
    '/v1/key=abc',
    '/%73k-abc/v1',
    '/eyJhbGciOi.x.y',
    '/550e8400-e29b-41d4-a716-446655440000/v1',
    '/v1/api-key/abc',
  ])('refuse a URL whose path has a key, and do not repeat it: %s', (path) => {
    const load = endpointsFrom(`gpu: {kind: openai, url: "https://host${path}"}`);
    expect(load).toThrow('gpu.url: a part of its path looks like a key');
    expect(load).toThrow(expect.not.objectContaining({ message: expect.stringContaining(path) }));
  });

  it.each([
    '/v1',
    '/openai/deployments/gpt-4o-mini-2024-07-18',
    '/api/openrouter/v1',
    '/v2/abc123xyz/openai/v1',

    '/v1/projects/my-project-123456/locations/us-central1/endpoints/1234567890123456789',
    '/keyboard/v1',
    '/',
  ])('take a URL whose path has none: %s', (path) => {
    const load = endpointsFrom(`gpu: {kind: openai, url: "https://host${path}"}`);
    expect(load()).toHaveProperty('gpu');
  });

  it.each([
    'gpu: {kind: openai, url: "http://gpu", api_key: sk-secret-1}',
    'gpu: {kind: openai, url: "http://gpu", api_key_env: sk-secret-1}',
    'gpu: {kind: openai, url: "http://user:sk-secret-1@gpu"}',
    'gpu: {kind: openai, url: ["http://gpu", "http://user:sk-secret-1@gpu"]}',
    'gpu: {kind: openai, url: ["http://gpu/v1/sk-secret-1"]}',
    'gpu: sk-secret-1',
  ])('never repeat what could be a key: %s', (content) => {
    expect(endpointsFrom(content)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('sk-secret') }),
    );
  });

  it('refuse a file that COLLOQUY_ENDPOINTS names and that does not exist', () => {
    expect(() => loadEndpoints({ COLLOQUY_ENDPOINTS: join(folder, 'none.yaml') })).toThrow('cannot be read');
  });
});
