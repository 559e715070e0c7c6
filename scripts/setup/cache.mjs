/** The folder of each user for what is big and the same in every clone: the Python environment and the Temporal CLI. */
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { SetupProblem } from './set-up.mjs';

/** `$XDG_CACHE_HOME/colloquy`, else `~/.cache/colloquy`. */
export function cacheFolder(environment = process.env) {
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'colloquy');
}

/**
 * Makes sure that `folder` is a folder in which files can be made. It makes the missing folders one by one, because
 * Node 20's `mkdirSync(…, { recursive: true })` never returns where the system answers ENOENT, as it does below `/proc`.
 *
 * @param {string} folder an absolute path
 * @throws {SetupProblem}
 */
export function makeFolder(folder) {
  try {
    const missing = [];
    for (let path = folder; !existsSync(path); path = dirname(path)) missing.unshift(path);
    for (const path of missing) makeOne(path);
    readdirSync(folder);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new SetupProblem(
      `${folder} cannot be used as a folder for what the set-up makes: ${error instanceof Error ? error.message : error}.`,
      'Make it a folder that you may write to, or set XDG_CACHE_HOME to another folder.',
    );
  }
}

/** @param {string} path */
function makeOne(path) {
  try {
    mkdirSync(path);
  } catch (error) {
    // Another set-up may have made it meanwhile.
    if (!existsSync(path)) throw error;
  }
}

/** `linux-x64`, `darwin-arm64`, ... */
export const platform = `${process.platform}-${process.arch}`;

/**
 * A short name for what `parts` say.
 *
 * @param {readonly (string | Buffer)[]} parts
 */
export function fingerprint(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 12);
}
