/**
 * How is a file written and read so that damage (a flipped bit, a lost tail) is noticed? Its seal, the file `<name>.ref.json`, has the hash
 * of its bytes. The seal is written last and commits the file.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isThere, type Place, placeIn, remove, setAside } from '../blobs.ts';
import { ArtifactDamaged, ArtifactMissing, NotVisibleYet, OtherVersion } from '../errors.ts';

/** A reference to the bytes of an artifact. References go through Temporal; the bytes never do. */
export const artifactRefSchema = z.strictObject({
  /** The file's name in the store. */
  uri: z.string(),
  /** Hexadecimal, of the bytes. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().nonnegative(),
  rows: z.number().int().nonnegative(),
});
export type ArtifactRef = Readonly<z.infer<typeof artifactRefSchema>>;

// Without the uri: an experiment's folder may be copied to another store.
const sealSchema = artifactRefSchema.omit({ uri: true });
export type Seal = Readonly<z.infer<typeof sealSchema>>;
export type SealedBytes = Pick<Seal, 'sha256' | 'bytes'>;
/** A piece of a file that will be sealed. It ends at the end of a row. */
export type SealedChunk = { readonly bytes: Uint8Array; readonly rows: number };
type Chunks = Iterable<SealedChunk> | AsyncIterable<SealedChunk>;

/** The place of a file's seal. */
export function sealPlace({ blobs, name }: Place): Place {
  return placeIn(blobs, `${name}.ref.json`);
}

/** The reference of a sealed file. */
export function refOf({ name }: Place, seal: Seal): ArtifactRef {
  return { uri: name, ...seal };
}

/**
 * Writes or replaces a file, and then its seal. The old seal is removed before the new bytes appear, so that a crash between the two
 * leaves an unfinished file and never one that looks damaged.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function writeSealed(place: Place, chunks: Chunks): Promise<Seal> {
  const { content, sealed } = counted(chunks);
  await place.blobs.replace(place.name, content, () => remove(sealPlace(place)));
  const seal = sealed();
  await writeSeal(place, seal);
  return seal;
}

/**
 * Writes a file that is made once, and then its seal. Of several writers with different bytes, also on other hosts and after a kill
 * at any moment, the first writer's file stays and the others get its seal: bytes and seal are never from two writers.
 *
 * @param rowsOf reads a whole file that another writer left without a seal, and counts its rows; throws ArtifactDamaged when the file
 *   is not of this kind
 * @returns `mine` is false when the file is another writer's
 * @throws DiskFull, StoreNotWritable; NotVisibleYet when another host's file exists, but cannot be read here yet
 */
export async function writeSealedOnce(
  place: Place,
  chunks: () => Chunks,
  rowsOf: () => Promise<number>,
): Promise<{ readonly seal: Seal; readonly mine: boolean }> {
  for (;;) {
    const { content, sealed } = counted(chunks());
    const outcome = await place.blobs.putOnce(place.name, content);
    const mine = outcome !== 'other';
    try {
      const seal = mine ? sealed() : await sealOfOther(place, rowsOf);
      await writeSeal(place, seal);
      return { seal, mine };
    } catch (error) {
      if (!(error instanceof ArtifactDamaged)) throw error;
      await setAside(place);
      await remove(sealPlace(place));
    }
  }
}

/** The seal of another writer's file; a new one when that writer was killed before it could seal the file. */
async function sealOfOther(place: Place, rowsOf: () => Promise<number>): Promise<Seal> {
  const seal = await readSeal(place);
  const found = await sealedBytesOf(place);
  if (found === null) throw new NotVisibleYet(place.where);
  if (seal === null) return { ...found, rows: await rowsOf() };
  checkSeal(place, found, seal);
  return seal;
}

function counted(chunks: Chunks): {
  readonly content: AsyncIterable<Uint8Array>;
  readonly sealed: () => Seal;
} {
  const hash = createHash('sha256');
  let bytes = 0;
  let rows = 0;
  const content = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      hash.update(chunk.bytes);
      bytes += chunk.bytes.length;
      rows += chunk.rows;
      yield chunk.bytes;
    }
  };
  return { content: content(), sealed: () => ({ sha256: hash.digest('hex'), bytes, rows }) };
}

async function writeSeal(place: Place, seal: Seal): Promise<void> {
  const { blobs, name } = sealPlace(place);
  await blobs.replace(name, Buffer.from(`${JSON.stringify(seal)}\n`));
}

/**
 * Seals a small file that another program has written, with the bytes that it has now. An existing seal stays.
 *
 * @throws ArtifactDamaged, DiskFull, StoreNotWritable
 */
export async function sealAsItIs(place: Place): Promise<void> {
  const { bytes, seal } = await readSealed(place);
  if (bytes !== null && seal === null) await writeSeal(place, { ...sealOf(bytes), rows: 1 });
}

/**
 * The seal of a file, or null when it has none.
 *
 * @throws ArtifactDamaged when the seal cannot be read
 */
export async function readSeal(place: Place): Promise<Seal | null> {
  const { blobs, name, where } = sealPlace(place);
  const bytes = await blobs.get(name);
  if (bytes === null) return null;
  try {
    return sealSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    throw new ArtifactDamaged(where, 'a hash and two sizes as JSON', `${bytes.length} bytes that are not`);
  }
}

/** Whether a file has a seal, that is, was written whole. Its bytes are not read. */
export async function isSealed(place: Place): Promise<boolean> {
  return isThere(sealPlace(place));
}

/** @throws ArtifactDamaged when the bytes do not match the seal */
export function checkSeal({ where }: Place, found: SealedBytes, seal: SealedBytes): void {
  if (found.bytes === seal.bytes && found.sha256 === seal.sha256) return;
  throw new ArtifactDamaged(
    where,
    `${seal.bytes} bytes with sha256 ${seal.sha256}`,
    `${found.bytes} bytes with ${found.sha256}`,
  );
}

/**
 * The error for an artifact whose content does not fit its schema. Where the bytes match their seal, they are not damaged: another version of
 * Colloquy wrote them.
 *
 * @param found what does not fit
 */
export async function misfit(place: Place, found: string): Promise<ArtifactDamaged | OtherVersion> {
  const seal = await readSeal(place);
  const bytes = seal === null ? null : await sealedBytesOf(place);
  if (seal !== null && bytes?.sha256 === seal.sha256) return new OtherVersion(place.where, found);
  return new ArtifactDamaged(place.where, 'what this version of Colloquy writes', found);
}

/** The hash and size of some bytes. */
export function sealOf(bytes: Uint8Array): SealedBytes {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
}

/** The hash and size of a file of any size; null when it is missing. */
export async function sealedBytesOf({ blobs, name }: Place): Promise<SealedBytes | null> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const piece of blobs.stream(name)) {
      hash.update(piece);
      bytes += piece.length;
    }
  } catch (error) {
    if (error instanceof ArtifactMissing) return null;
    throw error;
  }
  return { sha256: hash.digest('hex'), bytes };
}

/**
 * A small file and its seal (for a big one see `sealedLines`), each null when it is missing. When both exist, they match.
 *
 * @throws ArtifactDamaged when they do not match, or the seal cannot be read
 */
export async function readSealed(place: Place): Promise<{ bytes: Buffer | null; seal: Seal | null }> {
  for (;;) {
    const seal = await readSeal(place);
    const bytes = await place.blobs.get(place.name);
    if (bytes === null || seal === null) return { bytes, seal };
    try {
      checkSeal(place, sealOf(bytes), seal);
      return { bytes, seal };
    } catch (error) {
      // When the seal has changed, the file was replaced between the two reads.
      if ((await readSeal(place))?.sha256 === seal.sha256) throw error;
    }
  }
}

/**
 * The lines of a sealed file, without their ends, one after another: memory does not grow with the file. The seal is compared after
 * the last line; until then the lines may be damaged.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function* sealedLines(place: Place): AsyncGenerator<Buffer> {
  const seal = await readSeal(place);
  if (seal === null) throw new ArtifactMissing(place.where);
  const hash = createHash('sha256');
  let bytes = 0;
  let begun: Buffer[] = [];
  for await (const chunk of place.blobs.stream(place.name)) {
    hash.update(chunk);
    bytes += chunk.length;
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([...begun, chunk.subarray(start, end)]);
      begun = [];
      start = end + 1;
    }
    if (start < chunk.length) begun.push(chunk.subarray(start));
  }
  checkSeal(place, { bytes, sha256: hash.digest('hex') }, seal);
  if (begun.length > 0) yield Buffer.concat(begun);
}
