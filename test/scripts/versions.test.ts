import { describe, expect, it } from 'vitest';
import { atLeast, parseVersion } from '../../scripts/setup/versions.mjs';

describe('a version', () => {
  it.each([
    ['Python 3.11.7', [3, 11, 7]],
    ['go version go1.26.8 linux/amd64', [1, 26, 8]],
    ['1.29', [1, 29, 0]],
    ['devel', null],
  ])('is read from what a program prints: %s', (text, version) => {
    expect(parseVersion(text)).toEqual(version);
  });

  it.each([
    ['20.19.0', '20.19', true],
    ['20.18.9', '20.19', false],
    ['22.0.0', '20.19', true],
    ['3.9.18', '3.11', false],
    ['3.11.0', '3.11', true],
    ['3.100.0', '3.11', true],
    ['none', '3.11', false],
  ])('%s is at least %s: %s', (version, minimum, expected) => {
    expect(atLeast(version, minimum)).toBe(expected);
  });
});
