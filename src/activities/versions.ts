import { colloquyVersion } from '../config/colloquy-version.ts';
import type { IterationRecord } from '../store/iteration-record.ts';
import type { Store } from '../store/open-store.ts';
import { findModel } from '../store/models.ts';

/** What took part: Colloquy, Node, and the libraries that the newest fine-tune names in its manifest. */
export async function versions(
  store: Store,
  iterations: readonly IterationRecord[],
): Promise<Record<string, string>> {
  const newest = iterations
    .flatMap(({ fineTunes }) => fineTunes)
    .findLast(({ model }) => model !== null)?.model;
  const model = newest ? await findModel(store, newest) : null;
  return { colloquy: colloquyVersion(), node: process.versions.node, ...model?.manifest.versions };
}
