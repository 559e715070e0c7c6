/** How are bytes kept under names? The port under the store: everything that outlives a worker goes through it. */

/**
 * The bytes of a store. A name is a relative path with `/` between its parts. An implementation is one file, and the tests of
 * test/store/blobs.contract.ts define what it has to do.
 *
 * Every write is all or nothing: at each moment, also after a kill or a power cut, a name has its old bytes or its new bytes or none.
 * `putOnce` is the only conditional write, because a shared folder can do no other. Code that needs "only if unchanged" puts a new name
 * with a growing number (see files/take-over.ts). A read that fails throws the cause: it never returns null or other bytes instead. A change
 * by another host may become visible late, except to `putOnce`.
 */
export interface Blobs {
  /** Where a person finds a name: an absolute path, or an address. `''` is the store itself. */
  where(name: string): string;
  /** The number of bytes; null when the name does not exist. */
  size(name: string): Promise<number | null>;
  /** When it was written, in milliseconds since 1970; null when the name does not exist. Only to find the newest: clocks differ. */
  writtenAt(name: string): Promise<number | null>;
  /** All bytes, or at most `range.bytes` of them from `range.start`; null when the name does not exist. */
  get(name: string, range?: ByteRange): Promise<Buffer | null>;
  /** The bytes in pieces, for files that may be larger than memory. @throws ArtifactMissing */
  stream(name: string): AsyncIterable<Buffer>;
  /**
   * Stores bytes under a new name. Of several writers on any hosts, one gets `made`.
   *
   * @returns `same` when the name has the same bytes already, also when this writer put them and lost the answer; `other` when it has
   *   other bytes, or bytes that this host cannot see yet
   * @throws DiskFull, StoreNotWritable
   */
  putOnce(name: string, content: Content): Promise<'made' | 'same' | 'other'>;
  /**
   * Stores bytes and replaces those that the name has.
   *
   * @param beforeCommit runs when all new bytes are safe and the old ones are still in place
   * @throws DiskFull, StoreNotWritable, and the errors of `content` and `beforeCommit`; the old bytes are then untouched
   */
  replace(name: string, content: Content, beforeCommit?: () => Promise<void>): Promise<void>;
  /** All names that begin with `prefix`, sorted. */
  list(prefix: string): Promise<string[]>;
  /** All that is kept under names that begin with `prefix`, also what writers have not finished or have left: for those who tidy up. */
  everything(prefix: string): Promise<Kept[]>;
  /** The first parts of names that have several. */
  folders(): Promise<string[]>;
  /**
   * Renames a blob, or everything below a name; false when the name does not exist. A kill may leave it half done, so it is only for
   * files that are no longer read.
   *
   * @throws StoreNotWritable
   */
  move(from: string, to: string): Promise<boolean>;
  /** Removes a blob, or everything below a name, if it exists. @throws StoreNotWritable */
  remove(name: string): Promise<void>;
  /** Removes the temporary files that killed writers left below a name. What is being written there (an export, a report) stays. */
  tidy(name: string): Promise<void>;
  /**
   * A path at which another program can read a blob, or a folder with everything below a name. It stays for a day.
   *
   * @throws ArtifactMissing; CacheFull, DiskFull where it is a copy
   */
  localCopy(name: string): Promise<string>;
}

/** `writtenAt` in milliseconds since 1970. */
export type Kept = { readonly name: string; readonly bytes: number; readonly writtenAt: number };
export type ByteRange = { readonly start: number; readonly bytes: number };
export type Content = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** The pieces of some content. */
export function piecesOf(content: Content): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  return content instanceof Uint8Array ? [content] : content;
}

/** Returns a valid name. @throws Error when it could lead out of the store, or another name could mean the same */
export function checkedName(name: string): string {
  if (!isName(name)) throw new Error(`${JSON.stringify(name)} cannot be a name in a store.`);
  return name;
}

export function isName(name: string): boolean {
  const parts = name.split('/');
  return !parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'));
}

/** A file or a folder of a store. Functions that read and write take one. */
export type Place = {
  readonly blobs: Blobs;
  /** Its name in the store. References have this name, so that hosts may mount a store at different paths. */
  readonly name: string;
  /** Where a person finds it. */
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

/** Whether the file exists. */
export async function isThere({ blobs, name }: Place): Promise<boolean> {
  return (await blobs.size(name)) !== null;
}

/** Writes or replaces a page or another file that nothing depends on. @throws DiskFull, StoreNotWritable */
export async function writeBytes({ blobs, name }: Place, content: Content | string): Promise<void> {
  await blobs.replace(name, typeof content === 'string' ? Buffer.from(content) : content);
}

/** Removes a file, or a folder with everything in it. @throws StoreNotWritable */
export async function remove({ blobs, name }: Place): Promise<void> {
  await blobs.remove(name);
}

/** Whether a file or folder of this name was set aside. */
export async function wasDamaged({ blobs, name }: Place): Promise<boolean> {
  return (await blobs.list(`${name}.damaged-`)).length > 0;
}

/**
 * Moves a damaged file or folder to `<name>.damaged-N`, where a person can look at it.
 *
 * @returns where it is now; null when it did not exist
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

/**
 * The folders right below a folder, each with the number of its files that match.
 *
 * @param prefix the folder's name with a slash at its end
 * @param file matches the name of a file below the prefix; its first group is the folder
 */
export async function foldersBelow(
  blobs: Blobs,
  prefix: string,
  file: RegExp,
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (const path of await blobs.list(prefix)) {
    const [, name] = file.exec(path.slice(prefix.length)) ?? [];
    if (name !== undefined) found.set(name, (found.get(name) ?? 0) + 1);
  }
  return found;
}
