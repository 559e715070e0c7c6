/** Which store is it? Workers of one experiment must have the same one, perhaps at different paths of different hosts. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { NotVisibleYet, OtherStore } from './errors.ts';
import type { Store } from './store.ts';

/** Where an experiment was begun. */
export type Origin = StoreIdentity & {
  /** The hash of the worker's code (`codeHash`). */
  readonly code: string;
};

export type StoreIdentity = {
  /** Made with the store, in its file store.json. */
  readonly id: string;
  /** Where a worker found it, for people. */
  readonly host: string;
  readonly path: string;
};

const documentSchema = z.object({ id: z.string() });

/** By path. When a running worker's store is emptied, the store gets the same id again. */
const known = new Map<string, string>();

/**
 * The identity of a store. A store without an id gets one; of several workers on any hosts, all get the same id.
 *
 * @throws NotVisibleYet, DiskFull, StoreNotWritable, FileRefused
 */
export async function storeIdentity(store: Store): Promise<StoreIdentity> {
  const { blobs, name, where } = store.place('store.json');
  const found = await blobs.get(name);
  let id = found === null ? undefined : idIn(found);
  if (id === undefined) {
    id = known.get(store.root) ?? randomUUID();
    const bytes = Buffer.from(`${JSON.stringify({ formatVersion: 1, id })}\n`);
    // A damaged file is replaced: nothing depends on it but this comparison.
    if (found !== null) await blobs.replace(name, bytes);
    else if ((await blobs.putOnce(name, bytes)) === 'other') {
      const others = await blobs.get(name);
      id = others === null ? undefined : idIn(others);
      if (id === undefined) throw new NotVisibleYet(where);
    }
  }
  known.set(store.root, id);
  return { id, host: hostname(), path: store.root };
}

function idIn(bytes: Buffer): string | undefined {
  try {
    return documentSchema.parse(JSON.parse(bytes.toString('utf8'))).id;
  } catch {
    return undefined;
  }
}

/**
 * Makes sure that a step has the store in which its experiment was begun. A store that was emptied, or replaced by another one at the same
 * path of the same host, counts as the same: what is missing there is made again.
 *
 * @throws OtherStore
 */
export async function requireSameStore(begunIn: StoreIdentity, store: Store): Promise<void> {
  const here = await storeIdentity(store);
  if (here.id === begunIn.id || (here.host === begunIn.host && here.path === begunIn.path)) return;
  throw new OtherStore(begunIn, here);
}
