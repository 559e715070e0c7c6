/** What commands need of the terminal: colours, tables, JSON, short paths, Ctrl-C. */
import { relative } from 'node:path';
import { exitCodes } from '../errors.ts';
import Table from 'cli-table3';
import pc from 'picocolors';

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

/** Prints a table on stdout. */
export function printTable(head: string[], rows: readonly string[][]): void {
  const table = new Table({ head, style: { head: [], border: wantsColours() ? ['gray'] : [] } });
  table.push(...rows);
  console.log(table.toString());
}

/** Prints a value on stdout for programs, indented because people read it too. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}

/** The path as one would type it: relative to the current folder when that is shorter. */
export function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.length < path.length && !short.startsWith('..') ? short : path;
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
      console.error(`It did not end within ${Math.round(patienceMs / 1000)} s, and is ended now.`);
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
