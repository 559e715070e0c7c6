/**
 * How does a piece of work that several workers may begin (a shard of debates, a measurement) pass from one to another: whose is it, and how
 * does its journal reach another host?
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
 *
 * A journal reaches another host, where the store is no folder, in segments. Its lines are written to the local file at once, as always, and every
 * few seconds those that are new are put into the store together, as a segment: an object that never changes. A host that continues the
 * step begins with the segments of all others.
 *
 * A host that is lost costs at most the answers of the last `uploadEveryMs` and of the uploads that were under way: they are asked for again.
 */
import { randomUUID } from 'node:crypto';
import { below, type Place, placeIn, remove } from '../blobs.ts';
import { ClaimLost } from '../errors.ts';
import { type OnDamage, warnOfDamage } from './documents.ts';
import { type Entries, journalLine, openJournal, parseLine } from './journal.ts';

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

/** How often new lines are put into the store. Milliseconds. */
export const uploadEveryMs = 5_000;
/** Long answers to many questions come faster than that. */
const mostBytes = 4_000_000;

/** Where a step's journal is. */
export type JournalPlace = {
  /** Of the local file. */
  readonly path: string;
  /** The folder of its segments; null where the store is a folder, and the local file is in it. */
  readonly segments: Place | null;
};

/** The journal of a step. */
export interface StepJournal extends Entries {
  /** Other hosts find what was appended when this resolves. @throws the errors of the store */
  flush(): Promise<void>;
  /** @throws the errors of the store: the step has then not ended, because another host would not find all of its answers */
  close(): Promise<void>;
}

/**
 * Opens a step's journal, with what other hosts have put into the store.
 *
 * @param epoch of the claim under which it is written: the name of each of its segments begins with it
 * @throws DiskFull, StoreNotWritable, and the errors of the store
 */
export async function openStepJournal(
  { path, segments }: JournalPlace,
  epoch: number,
  onDamage: OnDamage = warnOfDamage,
): Promise<StepJournal> {
  const local = await openJournal(path, onDamage);
  const entries: Entries = {
    get: (key) => local.get(key),
    append: (key, value) => local.append(key, value),
    keys: () => local.keys(),
    get size() {
      return local.size;
    },
  };
  if (segments === null)
    return Object.assign(entries, { flush: async () => undefined, close: async () => local.close() });
  try {
    const stored = await takeOver(local, segments, onDamage);
    const uploader = createUploader(segments, epoch);
    // What this host wrote before it was stopped, and had not uploaded.
    for (const key of local.keys()) if (!stored.has(key)) uploader.add(journalLine(key, local.get(key)));
    return Object.assign(entries, {
      append(key: string, value: unknown) {
        local.append(key, value);
        uploader.add(journalLine(key, value));
      },
      flush: () => uploader.flush(),
      async close() {
        try {
          await uploader.end();
        } finally {
          local.close();
        }
      },
    });
  } catch (error) {
    local.close();
    throw error;
  }
}

/** Appends what the local file does not have. Returns all keys of the store's segments. */
async function takeOver(local: Entries, segments: Place, onDamage: OnDamage): Promise<Set<string>> {
  const stored = new Set<string>();
  for (const name of await segments.blobs.list(`${segments.name}/`)) {
    const bytes = await segments.blobs.get(name);
    let damaged = 0;
    for (const line of bytes?.toString('utf8').split('\n') ?? []) {
      if (line === '') continue;
      const entry = parseLine(line);
      if (entry === null) {
        damaged += 1;
        continue;
      }
      const [key, value] = entry;
      stored.add(key);
      if (local.get(key) === undefined) local.append(key, value);
    }
    if (damaged > 0)
      onDamage({ path: segments.blobs.where(name), problem: `${damaged} lines left out, to be made again` });
  }
  return stored;
}

type Uploader = {
  readonly add: (line: string) => void;
  /** @throws the errors of the store; the lines are then kept */
  readonly flush: () => Promise<void>;
  readonly end: () => Promise<void>;
};

function createUploader(segments: Place, epoch: number): Uploader {
  const writer = `${epoch}-${randomUUID().slice(0, 8)}`;
  let lines: string[] = [];
  let bytes = 0;
  let number = 0;
  /** One after another: there is at most one upload under way. */
  let underWay: Promise<void> = Promise.resolve();

  async function uploadAll(): Promise<void> {
    while (lines.length > 0) {
      const taken = lines;
      lines = [];
      bytes = 0;
      // A segment that failed may be there all the same, so that its name is not used again.
      number += 1;
      const segment = below(segments, `${writer}-${String(number).padStart(5, '0')}`);
      try {
        await segment.blobs.putOnce(segment.name, Buffer.from(taken.join('')));
      } catch (error) {
        lines = [...taken, ...lines];
        throw error;
      }
    }
  }

  function flush(): Promise<void> {
    underWay = underWay.catch(() => undefined).then(uploadAll);
    return underWay;
  }

  // What fails now is tried again in a few seconds, and at the end of the step, which then fails.
  const inBackground = (): void => void flush().catch(() => undefined);
  const timer = setInterval(inBackground, uploadEveryMs);
  return {
    add(line) {
      lines.push(line);
      const before = bytes;
      bytes += line.length;
      if (before < mostBytes && bytes >= mostBytes) inBackground();
    },
    flush,
    async end() {
      clearInterval(timer);
      await flush();
    },
  };
}
