/**
 * Who works on something that several workers may begin: a shard of debates, a measurement.
 *
 * A claim is a file `<work>.claim-N`. Its number, the epoch, grows by one with each take-over, and `putOnce` gives each number to one
 * claimant only. No clock is asked, and nothing is waited for: Temporal decides when a worker counts as lost, and from its claim a
 * worker that was only stalled (a suspended machine, a cut network) learns that another one has taken over.
 *
 * Guaranteed: two claimants never have the same epoch. A holder learns at its next `require` that a later epoch exists, as soon as
 * its host can see the later claim; on a local disk that is at once.
 * Not guaranteed: that only one holder works at a time. Between a take-over and the old holder's next `require`, and for as long as a
 * shared file system hides the later claim, both work, and the same answers may be asked for twice.
 * That is why correctness does not rest on claims: answers are kept under the hash of their request, and the result is put once
 * (`writeRowsOnce`, `writeDocumentOnce`), so that the first one finished stays and is never mixed with another.
 */
import { randomUUID } from 'node:crypto';
import { type Place, placeIn, remove } from '../blobs.ts';
import { ClaimLost } from '../errors.ts';

export type Claim = {
  /** 1 for the first who claimed this work. */
  readonly epoch: number;
  /** To be awaited before each effect. @throws ClaimLost when another worker has claimed the work since, or it was finished */
  readonly require: () => Promise<void>;
  /** Ends this claim and all others on the work: it is finished. */
  readonly finish: () => Promise<void>;
};

/**
 * Claims the work that becomes `work`. Earlier claims are lost by that. A claim whose holder stops without finishing is left for the
 * next claimant.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function claim(work: Place): Promise<Claim> {
  // No other claimant has these bytes: `same` means that this claim was put and only the answer was lost.
  const token = Buffer.from(`${randomUUID()}\n`);
  for (let epoch = Math.max(0, ...(await epochsOf(work))) + 1; ; epoch++) {
    const mine = claimOf(work, epoch);
    if ((await mine.blobs.putOnce(mine.name, token)) === 'other') continue;
    return {
      epoch,
      require: shared(() => check(mine, claimOf(work, epoch + 1), token)),
      finish: () => endClaims(work, epoch),
    };
  }
}

async function check(mine: Place, next: Place, token: Buffer): Promise<void> {
  const [own, later] = await Promise.all([mine.blobs.get(mine.name), next.blobs.size(next.name)]);
  // Claims on finished work are removed, and the numbers begin again when the work has to be done once more.
  if (later !== null || own === null || !own.equals(token)) throw new ClaimLost(mine.where);
}

/** A check that is under way serves all who ask meanwhile: answers come and go many at a time. */
function shared(work: () => Promise<void>): () => Promise<void> {
  let underWay: Promise<void> | undefined;
  return () => {
    underWay ??= work().finally(() => (underWay = undefined));
    return underWay;
  };
}

/**
 * Ends all claims on finished work, also those whose holders were killed before they could end them.
 *
 * @param last an epoch that is known: a list may not show all claims of other hosts yet
 */
export async function endClaims(work: Place, last = 0): Promise<void> {
  const newest = Math.max(last, ...(await epochsOf(work)));
  // The oldest first, so that no holder finds its own claim and none after it.
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
