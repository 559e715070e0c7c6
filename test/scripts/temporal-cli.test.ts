import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { platform } from '../../scripts/setup/cache.mjs';
import { BuildProgress, builtVersion, downloadAddress } from '../../scripts/setup/make-temporal-cli.mjs';
import { SetupProblem } from '../../scripts/setup/set-up.mjs';
import { chooseSource, temporalCli } from '../../scripts/setup/temporal-cli.mjs';

const fit = 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)\n';
const old = 'temporal version 0.10.0 (Server 1.20.0, UI 2.9.0)\n';

describe('the Temporal CLI', () => {
  it('is the one that the user names', () => {
    const chosen = { path: '/opt/temporal', words: fit };
    const onPath = { path: '/usr/bin/temporal', words: fit };
    expect(chooseSource({ chosen, onPath, cached: '/cache/temporal' })).toMatchObject({
      path: '/opt/temporal',
    });
  });

  it.each([
    ['does not run', null],
    ['is temporal version 0\\.10', old],
  ])('is not silently another one when the one that the user names %s', (message, words) => {
    const choose = () =>
      chooseSource({ chosen: { path: '/opt/temporal', words }, onPath: null, cached: '/cache/temporal' });
    expect(choose).toThrow(SetupProblem);
    expect(choose).toThrow(new RegExp(message));
  });

  it('is the one on PATH when its server is new enough, else the cached one, else one must be made', () => {
    const onPath = { path: '/usr/bin/temporal', words: fit };
    const tooOld = { path: '/usr/bin/temporal', words: old };
    expect(chooseSource({ chosen: null, onPath, cached: '/cache/temporal' })?.path).toBe('/usr/bin/temporal');
    expect(chooseSource({ chosen: null, onPath: tooOld, cached: '/cache/temporal' })?.path).toBe(
      '/cache/temporal',
    );
    expect(chooseSource({ chosen: null, onPath: tooOld, cached: null })).toBeNull();
  });

  it('is asked for where the SDK asks', () => {
    expect(downloadAddress('1.24.0', { platform: 'darwin', arch: 'arm64' })).toBe(
      'https://temporal.download/cli/default?arch=arm64&platform=darwin&format=tar.gz&sdk-name=sdk-typescript&sdk-version=1.24.0',
    );
  });
});

describe('a cached Temporal CLI', () => {
  let folder: string;
  let cached: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'colloquy-temporal-'));
    cached = join(folder, 'colloquy', `temporal-${builtVersion}-${platform}`, 'temporal');
    mkdirSync(dirname(cached), { recursive: true });
    const dependencies = { '@temporalio/worker': '1.24.0' };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ dependencies }));
    const tools = { temporal: cached, madeFor: { temporal: 'TEMPORAL_CLI_PATH=' } };
    writeFileSync(join(folder, '.tools.json'), JSON.stringify(tools));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });
  const step = () => temporalCli(folder, { PATH: '', XDG_CACHE_HOME: folder });
  const write = (text: string): void => {
    writeFileSync(cached, text);
    chmodSync(cached, 0o755);
  };

  it('is used again while it runs', async () => {
    write(`#!/bin/sh\necho "${fit.trim()}"\n`);
    expect(await step().current()).toMatchObject({ result: cached });
    rmSync(join(folder, '.tools.json'));
    expect(await step().current()).toBeNull();
    const { carryOut } = await step().plan();
    expect(await carryOut(() => {})).toMatchObject({ result: cached });
  });

  it.each([
    ['has no bytes', ''],
    ['is cut off', '\x7fELF\x02\x01\x01'],
    ['fails', '#!/bin/sh\nexit 1\n'],
  ])('is made again when it is damaged: it %s', async (_, text) => {
    write(text);
    const archive = { archiveUrl: 'https://temporal.download/cli.tar.gz', fileToExtract: 'temporal' };
    vi.spyOn(globalThis, 'fetch').mockResolvedValue(Response.json(archive));
    expect(await step().current()).toBeNull();
    const { announce } = await step().plan();
    expect(announce).toBe('downloading the Temporal CLI');
  });
});

describe('a build of the Temporal CLI', () => {
  it('shows how many of its packages are compiled', () => {
    const progress = new BuildProgress();
    progress.read('go: downloading go.temporal.io/api v1.53.0\nruntime\nsync\n');
    expect(String(progress)).toBe('building the Temporal CLI with Go: 2 packages compiled');
    progress.total = 1243;
    progress.read('go.temporal.io/api/common/v1\n');
    expect(String(progress)).toBe('building the Temporal CLI with Go: 3 of 1243 packages compiled');
  });
});
