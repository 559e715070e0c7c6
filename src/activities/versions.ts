import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../config/project-root.ts';
import type { IterationRecord } from '../store/iteration-record.ts';
import type { Store } from '../store/open-store.ts';
import { findModel } from '../store/models.ts';

const packageSchema = z.object({ version: z.string() });

/** What took part: Colloquy, Node, and the libraries that the newest fine-tune names in its manifest. */
export async function versions(
  store: Store,
  iterations: readonly IterationRecord[],
): Promise<Record<string, string>> {
  const { version } = packageSchema.parse(
    JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')),
  );
  const newest = iterations
    .flatMap(({ fineTunes }) => fineTunes)
    .findLast(({ model }) => model !== null)?.model;
  const model = newest ? await findModel(store, newest) : null;
  return { colloquy: version, node: process.versions.node, ...model?.manifest.versions };
}
