import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { childEnvironment } from '../../src/config/installation.ts';
import { startProcessGroup } from '../../src/engines/process/process-group.ts';

afterEach(() => vi.unstubAllEnvs());

it('is what a program needs, and nothing else: a list of secrets would never be complete', () => {
  const kept = {
    PATH: '/bin',
    HOME: '/root',
    HF_TOKEN: 'hub',
    CUDA_VISIBLE_DEVICES: '0',
    OMP_NUM_THREADS: '2',
    LC_ALL: 'C',
    TOKENIZERS_PARALLELISM: 'false',
    https_proxy: 'http://proxy:3128',
  };
  const secrets = [
    'OPENAI_API_KEY',
    'API_KEYS',
    'TOKENS',
    'GH_PAT',
    'PGPASSWORD',
    'DATABASE_URL',
    'OTEL_EXPORTER_OTLP_HEADERS',

    'TEMPORAL_API_KEY',
    'TEMPORAL_TLS_CLIENT_KEY_DATA',
    'AWS_SECRET_ACCESS_KEY',
    'github_token',
    'DB_PASSWORD',
    'APIKEY',
    'KUBECONFIG',
    'MY_CREDS',
    'SENTRY_DSN',
    'AZURE_CLIENT',
    'NPM_CONFIG__AUTH',
    'anything',
    // They look like settings of a library.
    'CUDA_LICENSE_KEY',
    'HF_HUB_PAT',
    'NVIDIA_API_TOKEN',
    'TORCH_AUTH',
    'TRANSFORMERS_DATABASE_URL',
  ];
  const environment = { ...kept, ...Object.fromEntries(secrets.map((name) => [name, 'secret'])) };
  expect(childEnvironment(environment)).toEqual(kept);
});

it('is what an engine or a trainer is started in', async () => {
  for (const name of ['COLLOQUY_CANARY_KEY', 'GH_PAT', 'DATABASE_URL']) vi.stubEnv(name, 'canary');
  const logFile = join(mkdtempSync(join(tmpdir(), 'colloquy-keyless-')), 'log');
  const group = await startProcessGroup(process.execPath, ['-e', 'console.error(process.env)'], { logFile });
  await group.exited;
  const environment = readFileSync(logFile, 'utf8');
  expect(environment).toContain('PATH');
  expect(environment).not.toContain('canary');
});
