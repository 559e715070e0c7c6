import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A name with characters that have a meaning in URLs, URIs, globs and shells: a path has to reach every other program unchanged. */
export const oddName = `colloquy store #1 ?x=%20&[y] $HOME 'ü'-`;

/** Where the project itself is, the bundler allows no `?`. */
export const oddNameOfProject = oddName.replace('?', '');

/** An empty folder, which the caller removes; in memory where that is possible, as a busy disk's fsync takes half a second. */
export function scratchFolder(name: string = oddName): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), name));
}
