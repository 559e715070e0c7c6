/** How is a document (one JSON object in a readable, sealed file) written and read? For seals see sealed.ts. */
import type { z } from 'zod';
import { type Place, remove, setAside, wasDamaged } from '../blobs.ts';
import { ArtifactDamaged, ArtifactMissing, NotVisibleYet, RecordLost } from '../errors.ts';
import {
  type ArtifactRef,
  misfit,
  readSealed,
  refOf,
  sealPlace,
  writeSealed,
  writeSealedOnce,
} from './sealed.ts';

/**
 * Writes or replaces a document. Two attempts of an activity may do so at the same moment. The attempt that ends last makes sure that
 * bytes and seal are from the same attempt.
 *
 * @returns its reference, of one row
 * @throws DiskFull, StoreNotWritable
 */
export async function writeDocument(place: Place, value: object): Promise<ArtifactRef> {
  for (let again = 3; ; again--) {
    const seal = await writeSealed(place, [{ bytes: bytesOf(value), rows: 1 }]);
    try {
      await readSealed(place);
      return refOf(place, seal);
    } catch (error) {
      if (!(error instanceof ArtifactDamaged) || again === 0) throw error;
    }
  }
}

/**
 * Writes a document that is made once. Of several writers' documents the first one stays (see `writeSealedOnce`).
 *
 * @returns the document that stays: this one, or an earlier writer's
 * @throws DiskFull, StoreNotWritable, NotVisibleYet
 */
export async function writeDocumentOnce<Value extends object>(
  place: Place,
  value: Value,
  schema: z.ZodType<Value>,
): Promise<Value> {
  const parse = async (): Promise<Value> => {
    const found = await readDocument(place, schema);
    if (found === null) throw new NotVisibleYet(place.where);
    return found;
  };
  const { mine } = await writeSealedOnce(
    place,
    () => [{ bytes: bytesOf(value), rows: 1 }],
    async () => (await parse(), 1),
  );
  return mine ? value : parse();
}

function bytesOf(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

/**
 * A verified document; null when it is missing. A document without a seal is accepted if it fits the schema: its writer may have been
 * killed before it could write the seal, and the document is complete.
 *
 * @throws ArtifactDamaged when its bytes do not match the seal, or it has none and does not fit the schema; OtherVersion when it has one and
 *   does not fit
 */
export async function readDocument<Value>(place: Place, schema: z.ZodType<Value>): Promise<Value | null> {
  const { bytes } = await readSealed(place);
  if (bytes === null) return null;
  let content: unknown;
  try {
    content = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new ArtifactDamaged(place.where, 'JSON', error instanceof Error ? error.message : String(error));
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const found = `${issue?.path.join('.')}: ${issue?.message}`;
  throw await misfit(place, found);
}

/** A verified document that must exist. @throws ArtifactMissing, ArtifactDamaged, OtherVersion */
export async function requireDocument<Value>(place: Place, schema: z.ZodType<Value>): Promise<Value> {
  const value = await readDocument(place, schema);
  if (value === null) throw new ArtifactMissing(place.where);
  return value;
}

/**
 * Like `readDocument`, but null when the document is damaged: it is then set aside and reported, and has to be made again.
 *
 * @throws StoreNotWritable, OtherVersion
 */
export async function findDocument<Value>(
  place: Place,
  schema: z.ZodType<Value>,
  onDamage: OnDamage = warnOfDamage,
): Promise<Value | null> {
  return nullWhenDamaged(place, onDamage, () => readDocument(place, schema));
}

/** A document that is kept twice, because nothing could make it again. */
export type KeptTwice = {
  readonly place: Place;
  readonly copy: Place;
  /** The folder to name in messages: what it holds began with this document. */
  readonly folder: string;
};

/** Writes or replaces a document and its copy. The copy is written first. @throws DiskFull, StoreNotWritable */
export async function writeTwice({ place, copy }: KeptTwice, value: object): Promise<void> {
  await writeDocument(copy, value);
  await writeDocument(place, value);
}

/**
 * A document that is kept twice. When it is damaged or missing, it is restored from its copy.
 *
 * @param expected whether it is known to have been written; a document that is not expected may be missing in both places
 * @returns null when it was never written
 * @throws RecordLost when it was written, and neither it nor its copy can be read; StoreNotWritable, OtherVersion
 */
export async function findKeptTwice<Value extends object>(
  { place, copy, folder }: KeptTwice,
  schema: z.ZodType<Value>,
  expected: boolean,
): Promise<Value | null> {
  const found = await findDocument(place, schema);
  if (found !== null) return found;
  const copied = await findDocument(copy, schema);
  if (copied !== null) {
    await writeDocument(place, copied);
    return copied;
  }
  if (expected || (await wasDamaged(place)) || (await wasDamaged(copy)))
    throw new RecordLost(place.where, copy.where, folder);
  return null;
}

/** Damage that was found and set aside. The code that opens an artifact decides how it is reported. */
export type Damage = {
  /** Where a person finds the artifact. */
  readonly path: string;
  /** What is wrong and what was done, e.g. `damaged (expected …, found …); moved to …; to be made again`. */
  readonly problem: string;
};
export type OnDamage = (damage: Damage) => void;

/** Reports damage as a warning of the process (stderr, unless the process listens to `warning`). */
export function warnOfDamage({ path, problem }: Damage): void {
  process.emitWarning(`${path}: ${problem}`, 'ArtifactDamage');
}

/**
 * The value that `read` returns. When `read` finds that the artifact is damaged, the artifact is set aside and reported, and null is
 * returned: it has to be made again. When `read` fails for another reason, its error is thrown and nothing is moved.
 *
 * @throws StoreNotWritable, and the other errors of `read`
 */
export async function nullWhenDamaged<Value>(
  place: Place,
  onDamage: OnDamage,
  read: () => Promise<Value | null>,
): Promise<Value | null> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ArtifactDamaged)) throw error;
    const aside = await setAside(place);
    // The seal goes last: until then another reader finds the damage again.
    await remove(sealPlace(place));
    const { expected, found } = error;
    const moved = aside === null ? '' : `; moved to ${aside}`;
    onDamage({
      path: place.where,
      problem: `damaged (expected ${expected}, found ${found})${moved}; to be made again`,
    });
    return null;
  }
}
