/** Single JSON objects, readable, sealed (see sealed-file.ts). */
import { pathToFileURL } from 'node:url';
import type { z } from 'zod';
import { ArtifactDamaged } from '../errors.ts';
import {
  type ArtifactRef,
  damageAside,
  type OnDamage,
  readSealed,
  warnOfDamage,
  writeSealed,
} from './sealed.ts';

/**
 * Writes a document, replacing what is there.
 *
 * @returns its reference, of one row
 * @throws DiskFull, StoreNotWritable
 */
export async function writeDocument(path: string, value: object): Promise<ArtifactRef> {
  const bytes = Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
  return { uri: pathToFileURL(path).href, ...(await writeSealed(path, [{ bytes, rows: 1 }])) };
}

/**
 * A document, verified; null when it is not there. One without a seal is taken as it is, if it fits the schema: the writer
 * may have been killed between the two, and nothing was lost by that.
 *
 * @throws ArtifactDamaged when its bytes are not the sealed ones, or it does not fit the schema
 */
export async function readDocument<Value>(path: string, schema: z.ZodType<Value>): Promise<Value | null> {
  const { bytes } = await readSealed(path);
  if (bytes === null) return null;
  let content: unknown;
  try {
    content = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new ArtifactDamaged(path, 'JSON', error instanceof Error ? error.message : String(error));
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const found = `${issue?.path.join('.')}: ${issue?.message}`;
  throw new ArtifactDamaged(path, 'a document as this version of Colloquy writes it', found);
}

/**
 * A document as `readDocument` gives it, but null when it is damaged: it is moved aside and told, and then to be made again.
 *
 * @throws StoreNotWritable
 */
export async function findDocument<Value>(
  path: string,
  schema: z.ZodType<Value>,
  onDamage: OnDamage = warnOfDamage,
): Promise<Value | null> {
  return damageAside(path, onDamage, () => readDocument(path, schema));
}
