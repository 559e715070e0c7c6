import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

  it('let the file limit the embedded one', () => {
    expect(endpointsFrom('local: {kind: local, max_concurrency: 4}')()).toEqual({
      local: { kind: 'local', max_concurrency: 4 },
    });
  });

  it.each([
    ['gpu: {kind: vlm, url: "http://gpu"}', 'gpu.kind: expected "local", or "vllm", or "openai"'],
    ['gpu: {kind: vllm}', 'gpu.url: missing'],
    ['gpu: {kind: vllm, url: "ftp://gpu"}', 'gpu.url: expected http(s)://'],
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
    'gpu: {kind: openai, url: "http://gpu", api_key: sk-secret-1}',
    'gpu: {kind: openai, url: "http://gpu", api_key_env: sk-secret-1}',
    'gpu: {kind: openai, url: "http://user:sk-secret-1@gpu"}',
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
