/** The port under the store: bytes under names. Everything that outlives a worker goes through it. */

/**
 * Where a store's bytes are kept. A name is a relative path, `/` between its parts. An implementation is one file, and the tests of
 * test/store/blobs.contract.ts define what it has to do.
 *
 * Every write is all or nothing: at each moment, also after a kill or a power cut, a name has its old bytes or its new bytes or none.
 * `putOnce` is the only conditional write, because it is the only one that a shared folder can do; whatever needs "only if it is
 * unchanged" puts a new name with a growing number (see files/claim.ts). A read that fails throws the cause: it never reports
 * "missing" or other bytes instead. Between hosts, another host's change may become visible late, except to `putOnce`.
 */
export interface Blobs {
  /** How a person finds a name: an absolute path, or an address. `''` is the store itself. */
  where(name: string): string;
  /** The number of bytes; null when there is none of that name. */
  size(name: string): Promise<number | null>;
  /** All bytes, or at most `range.bytes` of them from `range.start`; null when there is none of that name. */
  get(name: string, range?: ByteRange): Promise<Buffer | null>;
  /** The bytes in pieces, for what may be larger than memory. @throws ArtifactMissing */
  stream(name: string): AsyncIterable<Buffer>;
  /**
   * Stores bytes under a name that has none. Of several writers, on whatever hosts, one gets `made`.
   *
   * @returns `same` when the same bytes are there already, also when this writer put them and lost the answer; `other` when other
   *   bytes are there, or bytes that this host cannot see yet
   * @throws DiskFull, StoreNotWritable
   */
  putOnce(name: string, content: Content): Promise<'made' | 'same' | 'other'>;
  /**
   * Stores bytes in place of what is there.
   *
   * @param beforeCommit runs when all new bytes are safe and the old ones are still in place
   * @throws DiskFull, StoreNotWritable, what `content` or `beforeCommit` throws; the old bytes are then untouched
   */
  replace(name: string, content: Content, beforeCommit?: () => Promise<void>): Promise<void>;
  /** All names that begin with `prefix`, sorted. */
  list(prefix: string): Promise<string[]>;
  /**
   * Gives another name to a blob, or to everything below a name; false when there is nothing. Not all or nothing, so only for
   * what is no longer read.
   *
   * @throws StoreNotWritable
   */
  move(from: string, to: string): Promise<boolean>;
  /** Removes a blob, or everything below a name. Nothing happens when there is nothing. @throws StoreNotWritable */
  remove(name: string): Promise<void>;
  /** Removes what killed writers left below a name. To be called when nothing is being written there. */
  tidy(name: string): Promise<void>;
  /** A path at which another program can read a blob, or a folder with everything below a name. @throws ArtifactMissing */
  localCopy(name: string): Promise<string>;
}

export type ByteRange = { readonly start: number; readonly bytes: number };
export type Content = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** The pieces of some content. */
export function piecesOf(content: Content): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  return content instanceof Uint8Array ? [content] : content;
}

/** The name itself. @throws Error when it could mean something outside the store, or two names could mean the same */
export function checkedName(name: string): string {
  const parts = name.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0')))
    throw new Error(`${JSON.stringify(name)} cannot be a name in a store.`);
  return name;
}

/** A file or a folder of a store: what functions that read and write are given. */
export type Place = {
  readonly blobs: Blobs;
  /** In the store. References keep this name, so that hosts may mount a store at different paths. */
  readonly name: string;
  /** For people. */
  readonly where: string;
};

export function placeIn(blobs: Blobs, ...parts: string[]): Place {
  const name = checkedName(parts.join('/'));
  return { blobs, name, where: blobs.where(name) };
}

/** A place in a folder. */
export function below(folder: Place, ...parts: string[]): Place {
  return placeIn(folder.blobs, folder.name, ...parts);
}

/** Whether there are bytes. */
export async function isThere({ blobs, name }: Place): Promise<boolean> {
  return (await blobs.size(name)) !== null;
}

/** Writes a page or another file that nothing depends on, in place of what is there. @throws DiskFull, StoreNotWritable */
export async function writeBytes({ blobs, name }: Place, content: Content | string): Promise<void> {
  await blobs.replace(name, typeof content === 'string' ? Buffer.from(content) : content);
}

/** Removes a file, or a folder with everything in it. @throws StoreNotWritable */
export async function remove({ blobs, name }: Place): Promise<void> {
  await blobs.remove(name);
}

/**
 * Moves what is damaged (a file or a folder) to `<name>.damaged-N`, for a person to look at.
 *
 * @returns where it is now; null when there was nothing
 * @throws StoreNotWritable
 */
export async function setAside({ blobs, name }: Place): Promise<string | null> {
  const taken = await blobs.list(`${name}.damaged-`);
  let number = 1;
  while (taken.some((each) => each === numbered() || each.startsWith(`${numbered()}/`))) number++;
  return (await blobs.move(name, numbered())) ? blobs.where(numbered()) : null;

  function numbered(): string {
    return `${name}.damaged-${number}`;
  }
}
