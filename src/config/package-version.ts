import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** The version in a package.json. */
export function packageVersion(path: string): string {
  return packageSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).version;
}

const packageSchema = z.object({ version: z.string() });
