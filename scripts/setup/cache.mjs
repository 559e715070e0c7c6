/** One place per user for what is big and the same in every clone: the Python environment and the Temporal CLI. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `$XDG_CACHE_HOME/colloquy`, else `~/.cache/colloquy`. */
export function cacheFolder(environment = process.env) {
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'colloquy');
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
