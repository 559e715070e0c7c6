import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import type { ExperimentResult } from '../store/records/result.ts';
import { experimentFiles, openStore } from '../store/store.ts';
import { terminalSafe } from '../text/terminal-safe.ts';
import { wantsColours } from './colours.ts';
import type { Display } from './display.ts';
import type { Ending } from './ending.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { printJson } from './print-json.ts';
import { resultTable } from './result-table.ts';

export type TellOptions = {
  readonly name: string;
  readonly json: boolean;
  /** The command line that comes back to the experiment. */
  readonly comeBack: string;
};

/** Says how an experiment ended and what can be done now; returns the exit code that says the same. */
export function tellEnding(ending: Ending, { name, json, comeBack }: TellOptions): ExitCode {
  switch (ending.kind) {
    case 'finished':
      if (json) printJson(ending.result);
      else tellResult(ending.result);
      return exitCodes.ok;
    case 'parked':
      if (json) printJson({ name, state: 'parked', waiting: ending.waiting });
      console.error(`${name} waits for you:`);
      for (const { step, reason } of ending.waiting) console.error(`  ${step}: ${terminalSafe(reason)}`);
      console.error(
        `When that is put right:  colloquy retry ${name}   (or give up:  colloquy abort ${name})`,
      );
      return exitCodes.waitsForPerson;
    case 'failed':
      return tellFailed(ending, { name, json, comeBack });
    case 'detached':
    default:
      ending.kind satisfies 'detached';
      console.error(`Detached: ${name} goes on without this terminal. To come back:  ${comeBack}`);
      console.error(`To stop it for a while:  colloquy pause ${name}`);
      return exitCodes.interrupted;
  }
}

/** Says that an experiment or a study failed, why, and how it goes on. */
export function tellFailed(
  { type, reason }: { readonly type: string; readonly reason: string },
  { name, json, comeBack }: TellOptions,
): ExitCode {
  if (json) printJson({ name, state: 'failed', type, reason });
  console.error(`${name} failed (${type}): ${terminalSafe(reason)}`);
  if (type === 'InvalidConfig') return exitCodes.badUsage;
  console.error(`What is finished stays. To go on:  ${comeBack}`);
  return exitCodes.failed;
}

/** The table and where everything is. */
export function tellResult(result: ExperimentResult): void {
  const files = experimentFiles(openStore(), result.name);
  console.log(resultTable(result.evaluations, { colours: wantsColours() }));
  console.log('');
  if (result.night !== undefined) console.log(`${result.night.said}\n`);
  if (!existsSync(files.report)) return console.log('The report is in the store of the worker that made it.');
  console.log(`Report:   ${shortPath(files.report)}`);
  console.log(`Figures:  ${shortPath(files.result)}`);
}

/** Says that an experiment was finished before, and how to start afresh. */
export function tellFinishedBefore(display: Display, name: string, afresh: string): void {
  display.say(`${name} has finished already: this is its result. To start afresh:  ${afresh}`);
}

/** Relative when that is shorter: what one would type. */
export function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.length < path.length && !short.startsWith('..') ? short : path;
}
