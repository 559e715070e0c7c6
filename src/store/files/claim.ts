/**
 * Which worker does a piece of work that several workers may begin (a shard of debates, a measurement)?
 *
 * A claim is a file `<work>.claim-N`. Its number, the epoch, grows by one with each take-over, and `putOnce` gives each number to one
 * claimant only. Claims compare no clocks and do not wait: Temporal decides when a worker counts as lost. A worker that was only stalled (a
 * suspended machine, a cut network) finds out by its claim that another worker has taken over.
 *
 * Guaranteed: two claimants never have the same epoch. At its next check, a second after the last one at most, a holder that goes on finds
 * out that a later epoch exists, if its host can see the later claim; on a local disk it always can.
 * Not guaranteed: that only one holder works at a time. Between a take-over and the old holder's next check, and while a shared file
 * system hides the later claim, both work and may request the same answers.
 * Correctness therefore does not depend on claims: answers are stored under the hash of their request, and the result is put once
 * (`writeRowsOnce`, `writeDocumentOnce`), so that the first finished result stays and is never mixed with another.
 */
import { randomUUID } from 'node:crypto';
import { type Place, placeIn, remove } from '../blobs.ts';
import { ClaimLost } from '../errors.ts';

export type Claim = {
  /** 1 for the first claim on this work. */
  readonly epoch: number;
  /** Await it before each effect. @throws ClaimLost when a check finds that another worker has claimed the work, or has finished it */
  readonly require: () => Promise<void>;
  /** Ends this claim and all others on the work: it is finished. */
  readonly finish: () => Promise<void>;
};

/**
 * Claims the work whose result is the file `work`. Earlier claims are then lost. When a holder stops without finishing, its claim stays
 * until the next claimant takes over.
 *
 * @param checkedForMs for how long a check counts. By this process's own monotonic clock: a process that was stopped checks when it goes on, one on a machine that slept within that time
 * @throws DiskFull, StoreNotWritable
 */
export async function claim(work: Place, checkedForMs = 1_000): Promise<Claim> {
  // No other claimant has these bytes, so `same` means that this claim was put and only the reply was lost.
  const token = Buffer.from(`${randomUUID()}\n`);
  for (let epoch = Math.max(0, ...(await epochsOf(work))) + 1; ; epoch++) {
    const mine = claimOf(work, epoch);
    if ((await mine.blobs.putOnce(mine.name, token)) === 'other') continue;
    return {
      epoch,
      require: shared(() => check(mine, claimOf(work, epoch + 1), token), checkedForMs),
      finish: () => endClaims(work, epoch),
    };
  }
}

async function check(mine: Place, next: Place, token: Buffer): Promise<void> {
  const [own, later] = await Promise.all([mine.blobs.get(mine.name), next.blobs.size(next.name)]);
  // Claims on finished work are removed, and the numbers begin at 1 again when the work has to be done once more.
  if (later !== null || own === null || !own.equals(token)) throw new ClaimLost(mine.where);
}

/** Calls during a running check, and for a while after it, get its result: many answers arrive at the same time. One that failed counts for no later call. */
function shared(work: () => Promise<void>, checkedForMs: number): () => Promise<void> {
  let last: Promise<void> | undefined;
  let until = Infinity;
  return () => {
    if (last !== undefined && performance.now() < until) return last;
    until = Infinity;
    last = work().then(
      () => {
        until = performance.now() + checkedForMs;
      },
      (error: unknown) => {
        until = 0;
        throw error;
      },
    );
    return last;
  };
}

/**
 * Ends all claims on finished work, also claims whose holders were killed.
 *
 * @param last the greatest epoch that the caller knows; the list may not show all claims of other hosts yet
 */
export async function endClaims(work: Place, last = 0): Promise<void> {
  const newest = Math.max(last, ...(await epochsOf(work)));
  // The oldest first: otherwise a holder could find its own claim and no later one, and go on.
  for (let epoch = 1; epoch <= newest; epoch++) await remove(claimOf(work, epoch));
}

function claimOf({ blobs, name }: Place, epoch: number): Place {
  return placeIn(blobs, `${name}.claim-${epoch}`);
}

async function epochsOf({ blobs, name }: Place): Promise<number[]> {
  const prefix = `${name}.claim-`;
  const names = await blobs.list(prefix);
  return names.map((each) => Number(each.slice(prefix.length))).filter(Number.isInteger);
}
