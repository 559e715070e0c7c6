/**
 * How does a journal reach another host, where the store is no folder? Its lines are written to the local file at once, as always, and every
 * few seconds those that are new are put into the store together, as a segment: an object that never changes. A host that continues the
 * step begins with the segments of all others.
 *
 * A host that is lost costs at most the answers of the last `uploadEveryMs` and of the uploads that were under way: they are asked for again.
 */
import { randomUUID } from 'node:crypto';
import { below, type Place } from '../blobs.ts';
import { type OnDamage, warnOfDamage } from './documents.ts';
import { type Entries, journalLine, openJournal, parseLine } from './journal.ts';

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
