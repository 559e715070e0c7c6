import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tools } from '../../../src/config/installation.ts';
import { candidates } from '../../../src/cli/arguments.ts';
import { programFor } from '../../../src/cli/run-cli.ts';
import { colloquy } from '../colloquy.ts';

const names = { experiments: ['quickstart', 'second'], series: ['nightly'], studies: ['laptop-2'] };
const program = await programFor();
const completed = (...words: string[]) => candidates(program, words, names).map(({ word }) => word);

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
    expect(completed('status', '')).toEqual(['laptop-2', 'quickstart', 'second']);
  });

  it('completes the word at its place: the second experiment, settings behind a config, values of an option', () => {
    expect(completed('compare', 'second', 'qu')).toEqual(['quickstart']);
    expect(completed('run', 'quickstart', 'iter')).toEqual(['iterations=']);
    expect(completed('run', 'quickstart', '--detach', 'task.train_s')).toEqual(['task.train_size=']);
    expect(completed('run', 'quickstart', 'task.train_file', '=')).toEqual([]);
    expect(completed('set-budget', 'second', 'w')).toEqual(['wall_seconds=']);
    expect(completed('change', 'second', 'iterations')).toEqual([]);
    expect(completed('ask', '3+4', '--experiment', '')).toEqual(['quickstart', 'second']);
    expect(completed('ask', '--series', '')).toEqual(['nightly']);
    expect(completed('ask', '--seed', '')).toEqual([]);
  });

  it('completes names of what the command is about: series of a schedule, studies of a report', () => {
    expect(completed('schedule', 'show', '')).toEqual(['nightly']);
    expect(completed('schedule', 'create', '')).toEqual([]);
    expect(completed('report', '')).toEqual(['laptop-2', 'nightly', 'quickstart', 'second']);
  });

  it.each(['bash', 'zsh', 'fish'])('prints a script for %s', async (shell) => {
    const { code, out } = await colloquy('completion', shell);
    expect(code).toBe(0);
    expect(out).toContain('colloquy completion words -- ');
  });
});

/** Only the shells that this machine has. */
const shells = ['bash', 'zsh', 'fish'].filter((shell) => spawnSync(shell, ['-c', 'true']).status === 0);
const typeAndTab = fileURLToPath(new URL('type_and_tab.py', import.meta.url));

describe.each(shells)('the script for %s, in that shell', (shell) => {
  it('completes a name, and a setting without a space behind it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'colloquy-completion-'));
    try {
      const script = join(folder, 'script');
      await writeFile(script, `${(await colloquy('completion', shell)).out}\n`);
      // In place of the program: it keeps what it is called with, and says what the program would say.
      const program = join(folder, 'colloquy');
      await writeFile(program, `#!/bin/sh\nprintf '%s\\n' "$@" > ${folder}/args\ncat ${folder}/words\n`);
      await chmod(program, 0o755);

      const typed = async (words: string[], found: string, more: string) => {
        await writeFile(join(folder, 'words'), `${found}\twhat it means\n`);
        const line = `colloquy ${words.join(' ')}`;
        // A shell shows only what it adds.
        const rest = found.slice(words.at(-1)?.length);
        const { stdout } = spawnSync(tools().python, [typeAndTab, shell, script, line, rest, more], {
          encoding: 'utf8',
          env: { ...process.env, PATH: `${folder}:${process.env['PATH']}` },
        });
        return {
          line: stdout.trim().split('\n'),
          args: (await readFile(join(folder, 'args'), 'utf8')).trim(),
        };
      };
      expect(await typed(['schedule', 'show', 'ni'], 'nightly', 'end')).toEqual({
        line: ['colloquy', 'schedule', 'show', 'nightly', 'end'],
        args: ['completion', 'words', '--', 'schedule', 'show', 'ni'].join('\n'),
      });
      expect(await typed(['run', 'quickstart', 'iter'], 'iterations=', '5 end')).toMatchObject({
        line: ['colloquy', 'run', 'quickstart', 'iterations=5', 'end'],
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);
});
