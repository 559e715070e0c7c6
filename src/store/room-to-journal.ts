import type { Journal } from './journal.ts';

/** Whether the disk refused the last line that this process gave to any journal. */
let refused = false;

/** About as long as an answer. */
const filler = '.'.repeat(1_000);

/**
 * Makes sure, after the disk has refused a line, that it takes one before something is asked for that could only be lost. One full disk
 * stops all shards, but each of them learns of it by itself; so no more is lost than was in flight.
 *
 * @throws DiskFull, StoreNotWritable
 */
export function requireRoom(journal: Journal): void {
  // Nobody looks for this key.
  if (refused) appendNoting(journal, 'room', filler);
}

/**
 * As `journal.append`, and remembers whether it could be done.
 *
 * @throws DiskFull, StoreNotWritable
 */
export function appendNoting(journal: Journal, key: string, value: unknown): void {
  refused = true;
  journal.append(key, value);
  refused = false;
}
