import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { torchPackages } from '../../scripts/setup/python-installers.mjs';

const engine = fileURLToPath(new URL('../../engine/', import.meta.url));

describe('the lock for a machine without a GPU', () => {
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-uv-lock-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const lock = ['filelock 4.2.11', 'nvidia-cublas 13.4.1.3', 'cuda-bindings 13.5.0', 'torch 2.15.0']
    .concat('torchdata 1.0', 'triton 3.9.0')
    .map((entry) => `[[package]]\nname = "${entry.replace(' ', '"\nversion = "')}"\n`)
    .join('\n');
  writeFileSync(join(folder, 'uv.lock'), lock);

  it('leaves out the packages that only CUDA needs', () => {
    expect(torchPackages(folder).onlyForCuda).toEqual(['nvidia-cublas', 'cuda-bindings', 'triton']);
  });

  it('names the torch to take from the CPU index', () => {
    expect(torchPackages(folder).torch).toBe('torch==2.15.0');
    expect(torchPackages(engine).torch).toMatch(/^torch==\d+\.\d+\.\d+$/);
  });
});

describe('engine/requirements.lock, from which pip installs where uv cannot be had', () => {
  it('names the versions and the hashes of uv.lock (otherwise: run the command in its second line)', () => {
    expect(ofRequirements(read('requirements.lock'))).toEqual(ofUvLock(read('uv.lock')));
  });

  it('holds the versions that pyproject.toml pins', () => {
    const pinned = [...read('pyproject.toml').matchAll(/"([\w-]+)==([\w.]+)"/g)];
    expect(pinned.length).toBeGreaterThan(10);
    const locked = ofRequirements(read('requirements.lock'));
    for (const [, name = '', version] of pinned) expect(locked[name]?.version, name).toBe(version);
  });

  type Locked = Record<string, { readonly version: string; readonly hashes: readonly string[] }>;

  function ofRequirements(text: string): Locked {
    const requirements = text
      .replaceAll('\\\n', ' ')
      .split('\n')
      .filter((line) => /^[a-z]/.test(line));
    return Object.fromEntries(
      requirements.map((line) => {
        const [, name = '', version = ''] = /^(\S+?)==(\S+)/.exec(line) ?? [];
        return [name, { version, hashes: hashes(line) }];
      }),
    );
  }

  function ofUvLock(text: string): Locked {
    const packages = text.split('[[package]]').slice(1);
    return Object.fromEntries(
      packages
        .filter((entry) => !/^source = \{ virtual/m.test(entry))
        .map((entry) => {
          const [, name = '', version = ''] = /name = "(.+)"\nversion = "(.+)"/.exec(entry) ?? [];
          return [name, { version, hashes: hashes(entry) }];
        }),
    );
  }

  function hashes(text: string): readonly string[] {
    return [...text.matchAll(/sha256:[0-9a-f]{64}/g)].map(([hash]) => hash).toSorted();
  }

  function read(name: string): string {
    return readFileSync(join(engine, name), 'utf8');
  }
});
