import { join } from 'node:path';
import { openStore } from '../store/open-store.ts';
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
