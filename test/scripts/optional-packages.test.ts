import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { missingOptional } from '../../scripts/setup/optional-packages.mjs';

describe('package-lock.json', () => {
  it('names the optional packages of every platform (else: node scripts/complete-lock.mjs)', () => {
    const file = new URL('../../package-lock.json', import.meta.url);
    const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, object> };
    expect(missingOptional(lock.packages)).toEqual({});
  });

  it('gets an entry for a binary that npm left out, with the platform that its name says', () => {
    const packages = {
      'node_modules/@swc/core': {
        optionalDependencies: {
          '@swc/core-linux-arm64-musl': '1.16.22',
          '@swc/core-darwin-x64': '1.16.22',
          fsevents: '^2.3.0',
        },
      },
      'node_modules/@swc/core-darwin-x64': { version: '1.16.22' },
    };
    expect(missingOptional(packages)).toEqual({
      'node_modules/@swc/core-linux-arm64-musl': {
        version: '1.16.22',
        optional: true,
        os: ['linux'],
        cpu: ['arm64'],
        libc: ['musl'],
      },
    });
  });
});
