import { rmSync } from 'node:fs';
import { afterAll } from 'vitest';
import { scratchFolder } from '../support/scratch-folder.ts';

/** An empty folder, which is removed after the tests of the file. */
export function temporaryFolder(name?: string): string {
  const folder = scratchFolder(name);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
