import { join } from 'node:path';
import { packageVersion } from './package-version.ts';
import { projectRoot } from './project-root.ts';

/** Colloquy's own version, as package.json has it. */
export function colloquyVersion(): string {
  return packageVersion(join(projectRoot, 'package.json'));
}
