/**
 * `npx tsx scripts/write-reference.ts` writes docs/cli.md: the help of every command, as the program prints it. A test compares the page
 * with the program.
 */
import { realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { programFor } from '../src/cli/run-cli.ts';
import { projectRoot } from '../src/config/installation.ts';

/** Columns of the help on the page: what is longer is wrapped as on a terminal of this width. */
const columns = 110;

/** The page, from the program's own declarations. */
export async function cliPage(): Promise<string> {
  return [
    '# The command line',
    '',
    'scripts/write-reference.ts made this page from the program; it is not written by hand. In a clone, put `npx` before `colloquy`, or run `npm link` once.',
    '',
    ...sections(await programFor(), []),
  ].join('\n');
}

function sections(command: CommandUnknownOpts, words: readonly string[]): string[] {
  const path = [...words, command.name()];
  const own = [
    `## ${path.length === 1 ? 'colloquy' : path.slice(1).join(' ')}`,
    '```',
    helpOf(command),
    '```',
    '',
  ];
  const below = command.commands.filter((each) => each.name() !== 'help');
  return [...own, ...below.flatMap((each) => sections(each, path))];
}

function helpOf(command: CommandUnknownOpts): string {
  const printed: string[] = [];
  const before = command.configureOutput();
  command.configureOutput({
    ...before,
    writeOut: (text) => printed.push(text),
    getOutHelpWidth: () => columns,
    getOutHasColors: () => false,
  });
  try {
    command.outputHelp();
  } finally {
    command.configureOutput(before);
  }
  return printed.join('').trimEnd();
}

const ranAsProgram =
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (ranAsProgram) writeFileSync(join(projectRoot, 'docs', 'cli.md'), await cliPage());
