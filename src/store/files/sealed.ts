import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { ArtifactDamaged, ArtifactMissing } from '../errors.ts';
import { moveAside, writeAtomically, writeError } from './atomic.ts';

/** Names the bytes of an artifact. References travel through Temporal; the bytes never do. */
export const artifactRefSchema = z.strictObject({
  /** `file:///…` */
  uri: z.string(),
  /** Hexadecimal, of the bytes. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().nonnegative(),
  rows: z.number().int().nonnegative(),
});
export type ArtifactRef = Readonly<z.infer<typeof artifactRefSchema>>;

/**
 * Files with a seal: `<path>.ref.json` beside them tells their bytes' hash. A file is complete only with its seal, and damage
 * (a flipped bit, a lost tail) is seen whenever it is read.
 */
// Without the uri: a store may be moved to another folder.
const sealSchema = artifactRefSchema.omit({ uri: true });
export type Seal = Readonly<z.infer<typeof sealSchema>>;

/** Where the seal of a file is. */
export function sealPath(path: string): string {
  return `${path}.ref.json`;
}

/**
 * Writes chunks of whole rows and then the seal, each atomically. An old seal goes before the new bytes come, so that a
 * crash between the two leaves an unfinished file and never one that looks damaged.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function writeSealed(
  path: string,
  chunks: Iterable<SealedChunk> | AsyncIterable<SealedChunk>,
): Promise<Seal> {
  const hash = createHash('sha256');
  let bytes = 0;
  let rows = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      hash.update(chunk.bytes);
      bytes += chunk.bytes.length;
      rows += chunk.rows;
      yield chunk.bytes;
    }
  };
  await writeAtomically(path, counted(), () => removeSeal(path));
  const seal = { sha256: hash.digest('hex'), bytes, rows };
  await writeAtomically(sealPath(path), [Buffer.from(`${JSON.stringify(seal)}\n`)]);
  return seal;
}
export type SealedChunk = { readonly bytes: Uint8Array; readonly rows: number };

/**
 * Seals a file that another program has written, as it is now; one that has a seal keeps it.
 *
 * @throws ArtifactDamaged, DiskFull, StoreNotWritable
 */
export async function sealAsItIs(path: string): Promise<void> {
  const { bytes, seal } = await readSealed(path);
  if (bytes === null || seal !== null) return;
  await writeAtomically(sealPath(path), [Buffer.from(`${JSON.stringify({ ...sealOf(bytes), rows: 1 })}\n`)]);
}

/** Takes the seal away: the file counts as unfinished from then on. */
export async function removeSeal(path: string): Promise<void> {
  try {
    await rm(sealPath(path), { force: true });
  } catch (error) {
    throw writeError(sealPath(path), error);
  }
}

/**
 * The seal of a file, or null when it has none.
 *
 * @throws ArtifactDamaged when the seal itself cannot be read
 */
export async function readSeal(path: string): Promise<Seal | null> {
  const bytes = await readIfThere(sealPath(path));
  if (bytes === null) return null;
  try {
    return sealSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    throw new ArtifactDamaged(
      sealPath(path),
      'a hash and two sizes as JSON',
      `${bytes.length} bytes that are not`,
    );
  }
}

/** @throws ArtifactDamaged when the bytes are not the sealed ones */
export function checkSeal(path: string, found: SealedBytes, seal: SealedBytes): void {
  if (found.bytes === seal.bytes && found.sha256 === seal.sha256) return;
  throw new ArtifactDamaged(
    path,
    `${seal.bytes} bytes with sha256 ${seal.sha256}`,
    `${found.bytes} bytes with ${found.sha256}`,
  );
}
export type SealedBytes = Pick<Seal, 'sha256' | 'bytes'>;

/** What the seal of these bytes would say. */
export function sealOf(bytes: Uint8Array): SealedBytes {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
}

/**
 * A small file and its seal (a big one: sealed-lines.ts), null for what is not there; when both are, they fit.
 *
 * @throws ArtifactDamaged when they do not, or the seal cannot be read
 */
export async function readSealed(path: string): Promise<{ bytes: Buffer | null; seal: Seal | null }> {
  for (;;) {
    const seal = await readSeal(path);
    const bytes = await readIfThere(path);
    if (bytes === null || seal === null) return { bytes, seal };
    try {
      checkSeal(path, sealOf(bytes), seal);
      return { bytes, seal };
    } catch (error) {
      // Another seal by now: the file was replaced between the two reads.
      if ((await readSeal(path))?.sha256 === seal.sha256) throw error;
    }
  }
}

/** Whether there is a file or a folder at a path. */
export async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

/** The bytes of a file, or null when it is not there, nor the folder that it would be in. */
export async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

/**
 * The lines of a sealed file, without their ends, one after another: memory does not grow with the file. The seal is compared after
 * the last one; until then the lines are only probably the ones that were written.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function* sealedLines(path: string): AsyncGenerator<Buffer> {
  const seal = await readSeal(path);
  if (seal === null) throw new ArtifactMissing(path);
  const hash = createHash('sha256');
  let bytes = 0;
  let begun: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
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
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw new ArtifactMissing(path);
    throw error;
  }
  checkSeal(path, { bytes, sha256: hash.digest('hex') }, seal);
  if (begun.length > 0) yield Buffer.concat(begun);
}

/** The SHA-256 of a file's bytes, in hex, however big the file is. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/**
 * Copies a file and compares its bytes with a hash while it is read.
 *
 * @throws ArtifactMissing, ArtifactDamaged, DiskFull, StoreNotWritable
 */
export async function copyVerified(from: string, to: string, sha256: string): Promise<void> {
  const hash = createHash('sha256');
  await writeAtomically(to, hashed(from, hash));
  const found = hash.digest('hex');
  if (found !== sha256) throw new ArtifactDamaged(from, `sha256 ${sha256}`, found);
}

async function* hashed(path: string, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw new ArtifactMissing(path);
    throw error;
  }
}

/** Damage that was found and dealt with: what is lost is made again. Whoever opens an artifact says how it is told. */
export type Damage = {
  /** Absolute. */
  readonly path: string;
  /** What is wrong and what was done, e.g. `damaged (expected …, found …); moved to …; to be made again`. */
  readonly problem: string;
};
export type OnDamage = (damage: Damage) => void;

/** Tells damage as a warning of the process (stderr, unless the process listens to `warning`). */
export function warnOfDamage({ path, problem }: Damage): void {
  process.emitWarning(`${path}: ${problem}`, 'ArtifactDamage');
}

/**
 * What `read` gives; when it finds the artifact damaged, moves it aside, tells that, and gives null: it is then to be made again.
 *
 * @throws StoreNotWritable
 */
export async function damageAside<Value>(
  path: string,
  onDamage: OnDamage,
  read: () => Promise<Value | null>,
): Promise<Value | null> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ArtifactDamaged)) throw error;
    const aside = await moveAside(path);
    // The seal goes last: until it is gone, another look finds the damage again.
    await removeSeal(path);
    const { expected, found } = error;
    const moved = aside === null ? '' : `; moved to ${aside}`;
    onDamage({ path, problem: `damaged (expected ${expected}, found ${found})${moved}; to be made again` });
    return null;
  }
}
