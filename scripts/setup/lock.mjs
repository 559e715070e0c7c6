/** Lock files, so that only one set-up at a time builds a thing. A holder that has died loses its lock. */
import { existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder } from './cache.mjs';

/** A holder renews its lock this often; a lock that was not renewed for `staleMs` may be taken. */
const renewMs = 10_000;
const staleMs = 120_000;

/**
 * Runs `work` while this process alone holds `file`. If another process holds it, waits for that one first.
 *
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {{ onWait?: (holder: string) => void, pollMs?: number }} [options] `onWait` is called once with the other holder
 * @returns {Promise<T>}
 * @throws {SetupProblem} when the lock's folder cannot be made
 */
export async function withLock(file, work, { onWait = () => {}, pollMs = 500 } = {}) {
  makeFolder(dirname(file));
  for (let waited = false; !take(file); waited = true) {
    if (isStale(file)) {
      removeStale(file);
      continue;
    }
    if (!waited) onWait(readOr(file, 'another process'));
    await sleep(pollMs);
  }
  const renew = setInterval(() => touch(file), renewMs);
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(renew);
    process.off('exit', release);
    release();
  }
}

/**
 * Makes a folder once, whichever process comes first. What a process that was killed has left of it is made again.
 *
 * @param {string} folder absolute
 * @param {() => Promise<unknown>} make makes the folder, which is not there, and all that is in it
 */
export async function makeOnce(folder, make) {
  await withLock(`${folder}.lock`, async () => {
    if (isMade(folder)) return;
    rmSync(folder, { recursive: true, force: true });
    await make();
    writeFileSync(stampIn(folder), '');
  });
}

/**
 * Whether `makeOnce` has made the folder.
 *
 * @param {string} folder
 */
export function isMade(folder) {
  return existsSync(stampIn(folder));
}

/** @param {string} folder */
function stampIn(folder) {
  return join(folder, 'colloquy-complete');
}

/**
 * Whether the holder of the lock has died: its process is gone (seen from its own machine only, as the cache may lie on a
 * shared disk), or it has not renewed the lock for two minutes.
 *
 * @param {string} file
 */
export function isStale(file) {
  try {
    const [host, pid] = readFileSync(file, 'utf8').trim().split(' ');
    if (Date.now() - statSync(file).mtimeMs > staleMs) return true;
    return host === hostname() && pid !== undefined && !isAlive(Number(pid));
  } catch {
    return false;
  }
}

/** @param {string} file */
function take(file) {
  try {
    writeFileSync(file, `${hostname()} ${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Only one process may remove a stale lock, and only after it has looked again: otherwise a second process could remove the
 * lock that the first one has just taken.
 *
 * @param {string} file
 */
function removeStale(file) {
  const guard = `${file}.stale`;
  if (!take(guard)) {
    if (isStale(guard)) rmSync(guard, { force: true });
    return;
  }
  try {
    if (isStale(file)) rmSync(file, { force: true });
  } finally {
    rmSync(guard, { force: true });
  }
}

/** @param {string} file */
function touch(file) {
  try {
    utimesSync(file, new Date(), new Date());
  } catch {
    // The cache folder was cleared: the work goes on without its lock.
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * @param {string} file
 * @param {string} otherwise
 */
function readOr(file, otherwise) {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return otherwise;
  }
}
