import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { projectRoot } from './project-root.ts';

/** Colloquy's own version, as package.json has it. */
export function colloquyVersion(): string {
  return packageSchema.parse(JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'))).version;
}

const packageSchema = z.object({ version: z.string() });
