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
