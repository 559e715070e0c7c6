import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { colloquyVersion, projectRoot } from '../config/installation.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { type BundledWorkflows, bundleWorkflows } from './bundle.ts';
import {
  bundleFile,
  type BundleManifest,
  hashOfFiles,
  manifestFile,
  sha256,
  versionOf,
} from './prebuilt-bundle.ts';

/**
 * Bundles the workflows into dist/, with the manifest by which a worker knows whether the bundle still fits the sources.
 *
 * @throws ForbiddenImport, DiskFull, StoreNotWritable
 */
export async function makePrebuiltBundle(
  root: string = projectRoot,
): Promise<BundleManifest & { readonly bytes: number }> {
  const { code, sources } = await bundleWhatStays(root);
  const manifest = {
    colloquy: colloquyVersion(),
    sdk: versionOf('@temporalio/worker'),
    bundle: sha256(code),
    sources: await hashOfFiles(root, sources),
    files: [...sources],
  };
  const bytes = Buffer.from(code);
  await writeAtomically(join(root, bundleFile), [bytes]);
  await writeAtomically(join(root, manifestFile), [Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)]);
  return { ...manifest, bytes: bytes.length };
}

/** A file saved while it was bundled would be hashed as it is now, and bundled as it was. */
async function bundleWhatStays(root: string): Promise<BundledWorkflows> {
  for (;;) {
    const began = Date.now();
    const bundled = await bundleWorkflows(root);
    const files = await Promise.all(bundled.sources.map((file) => stat(join(root, file))));
    if (files.every(({ mtimeMs }) => mtimeMs < began)) return bundled;
  }
}
