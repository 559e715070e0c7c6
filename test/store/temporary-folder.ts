import { rmSync } from 'node:fs';
import { afterAll } from 'vitest';
import { scratchFolder } from '../support/scratch-folder.ts';

/** An empty folder that is gone after the tests of the file. */
export function temporaryFolder(): string {
  const folder = scratchFolder();
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
