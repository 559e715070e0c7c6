import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { keylessEnvironment, startProcessGroup } from '../../src/engines/process/process-group.ts';

afterEach(() => vi.unstubAllEnvs());

it('keeps what a program needs, and no key', () => {
  const kept = {
    PATH: '/bin',
    HF_TOKEN: 'hub',
    CUDA_VISIBLE_DEVICES: '0',
    TOKENIZERS_PARALLELISM: 'false',
    KEYBOARD: 'de',
  };
  const keys = {
    OPENAI_API_KEY: '1',
    TEMPORAL_API_KEY: '2',
    TEMPORAL_TLS_CLIENT_KEY_DATA: '3',
    AWS_SECRET_ACCESS_KEY: '4',
    github_token: '5',
    DB_PASSWORD: '6',
    APIKEY: '7',
  };
  expect(keylessEnvironment({ ...kept, ...keys })).toEqual(kept);
});

it('is what an engine or a trainer is started in', async () => {
  vi.stubEnv('COLLOQUY_CANARY_KEY', 'canary');
  const logFile = join(mkdtempSync(join(tmpdir(), 'colloquy-keyless-')), 'log');
  const group = await startProcessGroup(process.execPath, ['-e', 'console.error(process.env)'], { logFile });
  await group.exited;
  const environment = readFileSync(logFile, 'utf8');
  expect(environment).toContain('PATH');
  expect(environment).not.toContain('canary');
});
