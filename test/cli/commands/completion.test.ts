import { describe, expect, it } from 'vitest';
import { candidates } from '../../../src/cli/commands/completion.ts';
import { program } from '../../../src/cli/run-cli.ts';
import { colloquy } from '../colloquy.ts';

const completed = (...words: string[]) => candidates(program, words, ['quickstart', 'second']);

describe('colloquy completion', () => {
  it('completes commands, also those of a group', () => {
    expect(completed('sch')).toEqual(['schedule']);
    expect(completed('schedule', 'p')).toEqual(['pause', 'prune']);
    expect(completed('')).toEqual(expect.arrayContaining(['ask', 'run', 'serve', 'study']));
  });

  it('completes options of the command', () => {
    expect(completed('export', '--m')).toEqual(['--merge', '--models']);
    expect(completed('status', 'quickstart', '--w')).toEqual(['--watch']);
  });

  it('completes names: configs, studies, experiments of the store', () => {
    expect(completed('run', 'qu')).toEqual(['quickstart']);
    expect(completed('run', 'qwen3-4')).toEqual(['qwen3-4b']);
    expect(completed('study', 'table-')).toEqual(['table-1', 'table-2']);
    expect(completed('status', '')).toEqual(['quickstart', 'second']);
  });

  it.each(['bash', 'zsh', 'fish'])('prints a script for %s', async (shell) => {
    const { code, out } = await colloquy('completion', shell);
    expect(code).toBe(0);
    expect(out).toContain('colloquy completion words -- ');
  });
});
