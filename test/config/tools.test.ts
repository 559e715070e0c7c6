import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tools, ToolsMissing } from '../../src/config/installation.ts';

describe('the tools that the set-up provides', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'colloquy-tools-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('are at the paths in .tools.json', () => {
    const file = toolsFile({ python: process.execPath, temporal: process.execPath, madeFor: {} });
    expect({ ...tools(file) }).toEqual({ python: process.execPath, temporal: process.execPath });
  });

  it.each([
    ['the set-up has not run', undefined, /The set-up has not run.*node scripts\/setup\.mjs/],
    ['the file is not JSON', '{', /is not JSON/],
    ['a tool is not named', { temporal: process.execPath }, /does not name the Python of the engine/],
    [
      'a tool is gone',
      { python: '/gone/python', temporal: process.execPath },
      /Python of the engine is not at \/gone\/python/,
    ],
  ])('are missing when %s', (_, content, message) => {
    const file = content === undefined ? join(folder, 'none.json') : toolsFile(content);
    expect(() => tools(file).python).toThrow(ToolsMissing);
    expect(() => tools(file).python).toThrow(message);
  });

  it('are missing only for those who ask for them', () => {
    const file = toolsFile({ python: process.execPath });
    expect(tools(file).python).toBe(process.execPath);
    expect(() => tools(file).temporal).toThrow(/does not name the Temporal CLI/);
  });

  function toolsFile(content: object | string): string {
    const file = join(folder, '.tools.json');
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    return file;
  }
});
