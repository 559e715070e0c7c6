import { join } from 'node:path';
import { terminalSafe } from '../text/terminal-safe.ts';
import { openStore } from '../store/store.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import type { StudyEnding } from './follow-study.ts';
import { printJson } from './print-json.ts';
import { shortPath, tellFailed } from './tell-ending.ts';

type Options = {
  readonly name: string;
  readonly json: boolean;
  /** The command line that comes back to the study. */
  readonly comeBack: string;
  /** Whether it goes on when this terminal does not follow it: somebody else's worker does it. */
  readonly goesOn: boolean;
};

/** Says how a study ended and what can be done now; returns the exit code that says the same. */
export function tellStudyEnding(ending: StudyEnding, { name, json, comeBack, goesOn }: Options): ExitCode {
  switch (ending.kind) {
    case 'finished':
      if (json) printJson(ending.result);
      else {
        console.log(
          `${name}: ${ending.result.finished} of ${ending.result.experiments} experiments finished`,
        );
        for (const file of ending.result.files)
          console.log(`  ${shortPath(join(openStore().study(name), file))}`);
      }
      return exitCodes.ok;
    case 'failed':
      return tellFailed(ending, { name, json, comeBack });
    case 'parked':
      if (json) printJson({ name, state: 'parked', waiting: ending.waiting });
      console.error(`${name} waits for you, and cannot go on without:`);
      for (const { experiment, step, reason } of ending.waiting)
        console.error(`  ${experiment}: ${step}: ${terminalSafe(reason)}`);
      console.error('When that is put right:');
      for (const experiment of new Set(ending.waiting.map((each) => each.experiment)))
        console.error(`  colloquy retry ${experiment}   (or give it up:  colloquy abort ${experiment})`);
      if (!goesOn) console.error(`Its worker was here. A worker for that, and to go on:  ${comeBack}`);
      return exitCodes.waitsForPerson;
    case 'detached':
    default:
      ending.kind satisfies 'detached';
      console.error(
        goesOn
          ? `Detached: ${name} goes on without this terminal. To come back:  ${comeBack}`
          : `Stopped: its worker was here. What is finished stays. To go on:  ${comeBack}`,
      );
      return exitCodes.interrupted;
  }
}
