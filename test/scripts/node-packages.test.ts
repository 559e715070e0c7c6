import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isInstalled } from '../../scripts/setup/node-packages.mjs';

describe('node_modules', () => {
  const wanted = {
    '': { version: '0.1.0' },
    'node_modules/zod': { version: '4.6.7' },
    'node_modules/@swc/core-win32': { version: '1.0.0', optional: true },
  };

  it('are current when npm noted the same versions, a binary for another platform apart', () => {
    expect(isInstalled(wanted, { 'node_modules/zod': { version: '4.6.7' } })).toBe(true);
  });

  it.each([
    ['there are none', null],
    ['one is missing', {}],
    ['one has another version', { 'node_modules/zod': { version: '4.0.0' } }],
  ])('are installed again when %s', (_, installed) => {
    expect(isInstalled(wanted, installed)).toBe(false);
  });
});

describe('package-lock.json', () => {
  type Entry = {
    readonly optionalDependencies?: Readonly<Record<string, string>>;
    readonly peerDependenciesMeta?: Readonly<Record<string, unknown>>;
  };

  it('names the optional packages of every platform, without which npm ci refuses it there', () => {
    const file = new URL('../../package-lock.json', import.meta.url);
    const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Entry> };
    const missing = Object.values(packages).flatMap(({ optionalDependencies, peerDependenciesMeta }) =>
      Object.entries(optionalDependencies ?? {})
        .filter(([name, version]) => /^\d+\.\d+\.\d+/.test(version) && !peerDependenciesMeta?.[name])
        .filter(([name]) => packages[`node_modules/${name}`] === undefined),
    );
    expect(missing).toEqual([]);
  });
});
