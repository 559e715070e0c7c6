import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { type FineTuneManifest, fineTuneManifestSchema } from '../engines/trainer/events.ts';
import { ArtifactDamaged, ArtifactMissing } from '../store/errors.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { readDocument } from '../store/files/documents.ts';

/**
 * Copies the files of a finished fine-tune, each compared with the hash that its manifest names, and returns the manifest, which stays
 * behind: it is the store's.
 *
 * @param model its folder in the store
 * @throws ArtifactMissing, ArtifactDamaged, DiskFull, StoreNotWritable
 */
export async function copyAdapter(model: string, to: string): Promise<FineTuneManifest> {
  const manifest = await readDocument(join(model, 'manifest.json'), fineTuneManifestSchema);
  if (manifest === null) throw new ArtifactMissing(model);
  for (const [name, { sha256 }] of Object.entries(manifest.files)) {
    const from = join(model, name);
    const hash = createHash('sha256');
    await writeAtomically(join(to, name), hashed(from, hash));
    const found = hash.digest('hex');
    if (found !== sha256) throw new ArtifactDamaged(from, `sha256 ${sha256}`, found);
  }
  return manifest;
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
