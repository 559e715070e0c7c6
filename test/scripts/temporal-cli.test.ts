import { describe, expect, it } from 'vitest';
import { SetupProblem } from '../../scripts/setup/problem.mjs';
import { chooseSource } from '../../scripts/setup/temporal-cli.mjs';
import { downloadAddress } from '../../scripts/setup/temporal-download.mjs';

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
