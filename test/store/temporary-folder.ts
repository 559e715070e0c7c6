import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** An empty folder that is gone after the tests of the file; in memory where that is possible, as a busy disk's fsync takes half a second. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'colloquy-store-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
