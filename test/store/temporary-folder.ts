import { rmSync } from 'node:fs';
import { afterAll, onTestFinished, TestRunner } from 'vitest';
import { scratchFolder } from '../support/scratch-folder.ts';

/** An empty folder, which is removed after the test that asks for it, or else after the tests of the file. */
export function temporaryFolder(name?: string): string {
  const folder = scratchFolder(name);
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  // Within a test, vitest would never call a function that is given to afterAll.
  if (TestRunner.getCurrentTest() === undefined) afterAll(remove);
  else onTestFinished(remove);
  return folder;
}
