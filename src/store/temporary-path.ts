import { randomUUID } from 'node:crypto';
import { basename, dirname, join } from 'node:path';

/** Where what becomes `path` is written first: a sibling, so that a rename suffices, that no other writer has. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
}

/** Whether a file of that name is one that `temporaryPath` gave. */
export function isTemporary(name: string): boolean {
  return /^\..+\.tmp$/.test(name);
}
