import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type FineTuneManifest, fineTuneManifestSchema } from '../config/contract.ts';
import { below, type Place } from '../store/blobs.ts';
import { ArtifactDamaged, ArtifactMissing } from '../store/errors.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { readDocument } from '../store/files/documents.ts';
import { manifestOf } from '../store/models.ts';

/**
 * Copies the files of a finished fine-tune, each compared with the hash that its manifest names, and returns the manifest, which stays
 * behind: it is the store's.
 *
 * @param model its folder in the store
 * @throws ArtifactMissing, ArtifactDamaged, DiskFull, StoreNotWritable
 */
export async function copyAdapter(model: Place, to: string): Promise<FineTuneManifest> {
  const manifest = await readDocument(manifestOf(model), fineTuneManifestSchema);
  if (manifest === null) throw new ArtifactMissing(model.where);
  for (const [name, { sha256 }] of Object.entries(manifest.files)) {
    const from = below(model, name);
    const hash = createHash('sha256');
    await writeAtomically(join(to, name), hashed(from, hash));
    const found = hash.digest('hex');
    if (found !== sha256) throw new ArtifactDamaged(from.where, `sha256 ${sha256}`, found);
  }
  return manifest;
}

async function* hashed(
  { blobs, name }: Place,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const piece of blobs.stream(name)) {
    hash.update(piece);
    yield piece;
  }
}
