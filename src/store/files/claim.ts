import { closeSync, fstatSync, openSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ClaimLost } from '../errors.ts';
import { makeFolder, temporaryPath, writeError } from './atomic.ts';

/** The right to work on something that others may claim too: whoever claimed last has it. */
export type Claim = {
  /** To be asked before each effect. @throws ClaimLost once somebody else has claimed, or the work was finished */
  readonly require: () => void;
  /** Ends the claim, and those of all that claimed before: the work is finished. */
  readonly finish: () => Promise<void>;
  /** Leaves the claim as it is for the next who claims. */
  readonly close: () => void;
};

/**
 * Claims the work that `path` stands for. A worker that was only stalled (a suspended machine, a network that was gone) goes on
 * beside the one that took over: Temporal notices within a heartbeat, the stalled one itself at its very next step, by the claim.
 * No clock is asked and nothing is waited for.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function claim(path: string): Promise<Claim> {
  const mine = temporaryPath(path);
  let file: number;
  try {
    await makeFolder(dirname(path));
    file = openSync(mine, 'wx');
  } catch (error) {
    throw writeError(path, error);
  }
  try {
    await rename(mine, path);
  } catch (error) {
    closeSync(file);
    await rm(mine, { force: true });
    throw writeError(path, error);
  }
  return {
    // Whoever renames another file over it, or removes it, takes its last name away; the open file stays ours.
    require: () => {
      if (fstatSync(file).nlink === 0) throw new ClaimLost(path);
    },
    finish: () => endClaims(path),
    close: () => closeSync(file),
  };
}

/** Ends all claims on work that is finished: also one whose holder was killed between finishing it and saying so. */
export function endClaims(path: string): Promise<void> {
  return rm(path, { force: true });
}
