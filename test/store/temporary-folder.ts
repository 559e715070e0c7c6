import { rmSync } from 'node:fs';
import { scratchFolder } from '../support/scratch-folder.ts';

const made: string[] = [];

/** An empty folder, which is removed after the tests of the file, whether a test, a hook or the file itself asks for it. */
export function temporaryFolder(name?: string): string {
  const folder = scratchFolder(name);
  made.push(folder);
  return folder;
}

/** For the end of a file of tests. */
export function removeTemporaryFolders(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
