/** What commands need of the terminal: colours, tables, JSON, short paths, Ctrl-C, questions to a person. */
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import Table from 'cli-table3';
import pc from 'picocolors';
import { projectRoot } from '../config/installation.ts';
import { ColloquyError, exitCodes } from '../errors.ts';
import type { Warning } from '../store/records/result.ts';
import { terminalSafe, wrapped } from '../text/safe-text.ts';
import type { Progress } from '../workflows/progress.ts';
import type { Note } from '../workflows/waiting-notes.ts';

/** Node's types say that every WriteStream has `isTTY`; for a pipe it is missing. */
type Stream = { readonly isTTY?: boolean };

/** Whether a stream is a terminal that should have colours: respects https://no-color.org. */
export function wantsColours(stream: Stream = process.stdout): boolean {
  // A plain false: given undefined, picocolors guesses, and guesses yes where CI is set.
  return stream.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

/** Colours for a stream, or functions that change nothing. */
export function colours(stream: Stream = process.stdout) {
  return pc.createColors(wantsColours(stream));
}

/** Prints a table on stdout, fitted to the terminal: see `tableFor`. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  console.log(tableFor(process.stdout.columns ?? Infinity, head, rows));
}

/**
 * A table that is, where possible, no wider than this number of columns: the last columns are left out first, but never the first two, and then
 * the first column is shortened. A pipe or a file gets the whole table.
 *
 * @param head the most important columns first
 */
export function tableFor(
  columns: number,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = head.map((title, index) =>
    Math.max(title.length, ...rows.map((row) => (row[index] ?? '').length)),
  );
  const width = (shown: number) => widths.slice(0, shown).reduce((sum, each) => sum + each + 3, 1);
  let shown = head.length;
  while (shown > 2 && width(shown) > columns) shown -= 1;
  const longest = Math.max(8, (widths[0] ?? 0) - Math.max(0, width(shown) - columns));
  const fitted = ([first = '', ...rest]: readonly string[]) => [
    first.length > longest ? `${first.slice(0, longest - 1)}…` : first,
    ...rest.slice(0, shown - 1),
  ];
  const table = new Table({
    head: fitted(head),
    style: { head: [], border: wantsColours() ? ['gray'] : [] },
  });
  table.push(...rows.map(fitted));
  return table.toString();
}

/** Empties the terminal, so that what is printed next stands at its top; does nothing where there is none. */
export function clearScreen(): void {
  if (process.stdout.isTTY) process.stdout.write('\x1b[2J\x1b[3J\x1b[H');
}

/** Prints a value on stdout for programs, indented because people read it too. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}

/** The path as one would type it: relative to the current folder when that is shorter. */
export function shortPath(path: string): string {
  // An address is no path.
  if (path.includes('://')) return path;
  const short = relative(process.cwd(), path);
  return short.length < path.length && !short.startsWith('..') ? short : path;
}

/** A note as text for a terminal. */
export function noteText({ says, quoted, commands }: Note): string {
  return [
    says,
    ...(quoted === undefined ? [] : quoted.split('\n').map((line) => `  | ${line}`)),
    ...(commands ?? []).map((line) => `  ${line}`),
  ].join('\n');
}

/** Where the runbook says what to do about errors of these names: its path with the entry. Nothing for names that have no entry. */
export function runbookEntries(errors: readonly string[]): string[] {
  const path = join(projectRoot, 'docs', 'runbook.md');
  const page = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return [...new Set(errors)]
    .map((error) => error.toLowerCase())
    .filter((entry) => page.includes(`<a id="${entry}"></a>`))
    .map((entry) => `What to do: ${shortPath(path)}#${entry}`);
}

/** Where the runbook says what to do about what an experiment waits for. */
export function runbookEntriesOf({ waiting }: Pick<Progress, 'waiting'>): string[] {
  return runbookEntries(waiting.flatMap(({ reason }) => /^\w+(?=: )/.exec(reason) ?? []));
}

/**
 * A signal that aborts on Ctrl-C or SIGTERM. A second Ctrl-C ends the process at once.
 *
 * @param patienceMs after this time the process is ended too, whatever keeps it; without it, it has all the time it needs
 */
export function interruptSignal(patienceMs?: number): {
  readonly signal: AbortSignal;
  readonly dispose: () => void;
} {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    controller.abort();
    if (patienceMs === undefined) return;
    setTimeout(() => {
      console.error(`The process did not end within ${Math.round(patienceMs / 1000)} s. It is ended now.`);
      process.exit(exitCodes.failed);
    }, patienceMs).unref();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return {
    signal: controller.signal,
    dispose: () => {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    },
  };
}

/** Longer than a worker needs to stop its steps (`shutdownForceTime`) and its engines. */
export const workerPatienceMs = 160_000;

/** The warnings about an experiment as one text for the terminal; none when there are none. */
export function warningsText(
  warnings: readonly Warning[],
  columns = process.stdout.columns || 100,
): string[] {
  if (warnings.length === 0) return [];
  const { yellow } = colours();
  const lines = warnings.flatMap(({ says, remedy }) =>
    wrapped(terminalSafe(`${says} ${remedy}`), columns - 4).map(
      (line, index) => `${index === 0 ? '  - ' : '    '}${line}`,
    ),
  );
  return [[yellow(warnings.length === 1 ? 'Warning:' : 'Warnings:'), ...lines].join('\n')];
}

export type Question<Answer> = {
  readonly asks: string;
  /** What may be answered, a line each. */
  readonly choices: readonly string[];
  /** The answer of a person who only presses Enter. */
  readonly usual: string;
  /** @throws ColloquyError that says what is wrong with these words */
  readonly read: (words: string) => Answer | Promise<Answer>;
};

/** Whether an error is about what the person said. Others, such as a server that is away, may pass. */
export function isWrongAnswer(error: unknown): error is ColloquyError & { exitCode: 2 } {
  return error instanceof ColloquyError && error.exitCode === exitCodes.badUsage;
}

/** A person at a terminal. Ctrl-C and Ctrl-D end the process, so what asks writes nothing before all is answered. */
export type Person = {
  /** Asks until the answer can be used. */
  readonly answers: <Answer>(question: Question<Answer>) => Promise<Answer>;
  readonly confirms: (asks: string) => Promise<boolean>;
  readonly hears: (text: string) => void;
  readonly close: () => void;
};

/** Speaks on stderr. */
export function openTerminal(): Person {
  const { bold, dim, red } = colours(process.stderr);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const leave = () => (console.error('\nNothing was written.'), process.exit(exitCodes.interrupted));
  terminal.on('SIGINT', leave).on('close', leave);
  // It keeps what is typed while an answer is being checked.
  const lines = terminal[Symbol.asyncIterator]();
  const lineAfter = async (prompt: string): Promise<string> => {
    terminal.setPrompt(prompt);
    terminal.prompt();
    const { value } = await lines.next();
    return typeof value === 'string' ? value.trim() : leave();
  };
  return {
    hears: (text) => console.error(red(terminalSafe(text))),
    close: () => terminal.off('close', leave).close(),
    confirms: async (asks) => /^y(es)?$/i.test(await lineAfter(`${bold(asks)} ${dim('[y/N]')} `)),
    answers: async ({ asks, choices, usual, read }) => {
      console.error(`\n${bold(asks)}\n${choices.map((line) => `  ${line}`).join('\n')}`);
      for (;;) {
        const said = await lineAfter(`${dim(`[${usual}]`)} > `);
        try {
          return await read(said === '' ? usual : said);
        } catch (error) {
          if (!isWrongAnswer(error)) throw error;
          console.error(red(terminalSafe(error.message)));
        }
      }
    },
  };
}
