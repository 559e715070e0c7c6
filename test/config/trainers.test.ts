import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTrainers } from '../../src/config/trainers.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'colloquy-trainers-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function trainersFrom(content: string) {
  const path = join(folder, 'trainers.yaml');
  writeFileSync(path, content);
  return () => loadTrainers({ COLLOQUY_TRAINERS: path });
}

describe('the trainers of a worker', () => {
  it('are one process of the worker when nothing is configured', () => {
    expect(loadTrainers({})).toEqual({ local: { kind: 'process' } });
  });

  it('are that one and those of the file', () => {
    const content = 'big: {kind: process, processes: 8, padding_free: false, attn_implementation: sdpa}';
    expect(trainersFrom(content)()).toEqual({
      local: { kind: 'process' },
      big: { kind: 'process', processes: 8, padding_free: false, attn_implementation: 'sdpa' },
    });
  });

  it.each([
    ['big: {kind: proces}', 'big.kind: "proces" was given; expected "process"'],
    ['big: {}', 'big.kind: missing'],
    ['big: {kind: process, threads: 2}', 'big.threads: unknown key'],
    ['big: {kind: process, processes: 0}', 'big.processes: 0 was given; expected'],
    [
      'big: {kind: process, attn_implementation: flash}',
      'big.attn_implementation: "flash" was given; expected',
    ],
    ['big: process', 'big: "process" was given; expected an object with kind'],
    ['- 1', 'found [1]'],
  ])('refuse %s', (content, message) => {
    expect(trainersFrom(content)).toThrow(message);
  });

  it.each(['', '# big: {kind: process}\n'])(
    'are the default one where the file describes none: %o',
    (content) => {
      expect(trainersFrom(content)()).toEqual({ local: { kind: 'process' } });
    },
  );

  it('refuse a file that is named and missing', () => {
    expect(() => loadTrainers({ COLLOQUY_TRAINERS: join(folder, 'none.yaml') })).toThrow('cannot be read');
  });
});
