import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { z } from 'zod';
import { packageVersion, projectRoot } from '../config/installation.ts';

/** What is known of the bundle that `npm run build` has made: its code, or why it must not be run. */
export type Prebuilt = { readonly code: string } | { readonly unfit: string };

/** Where the bundle and its manifest are, below the project's folder. */
export const bundleFile = join('dist', 'workflow-bundle.js');
export const manifestFile = join('dist', 'workflow-bundle.json');

const manifestSchema = z.object({
  /** Version of Colloquy. */
  colloquy: z.string(),
  /** Version of @temporalio/worker: a bundle runs only in the very version that made it. */
  sdk: z.string(),
  /** SHA-256 of the bundle's bytes. */
  bundle: z.string(),
  /** SHA-256 over the names and bytes of `files`. */
  sources: z.string(),
  files: z.array(z.string()),
});
export type BundleManifest = Readonly<z.infer<typeof manifestSchema>>;

/** Reads dist/workflow-bundle.js and makes sure that today's sources would give the same. Some milliseconds. */
export async function readPrebuiltBundle(root: string = projectRoot): Promise<Prebuilt> {
  let manifest: BundleManifest;
  let code: string;
  try {
    manifest = manifestSchema.parse(JSON.parse(await readFile(join(root, manifestFile), 'utf8')));
    code = await readFile(join(root, bundleFile), 'utf8');
  } catch {
    return { unfit: 'there is none' };
  }
  if (sha256(code) !== manifest.bundle) return { unfit: 'it is damaged' };
  if (versionOf('@temporalio/worker') !== manifest.sdk)
    return { unfit: `it was made by version ${manifest.sdk} of the Temporal SDK` };
  if ((await hashOfFiles(root, manifest.files).catch(() => null)) !== manifest.sources)
    return { unfit: 'the sources have changed since' };
  return { code };
}

/** SHA-256 over the names, below the project's folder, and the bytes of files. */
export async function hashOfFiles(root: string, files: readonly string[]): Promise<string> {
  const contents = await Promise.all(files.map((file) => readFile(join(root, file))));
  const hash = createHash('sha256');
  for (const [index, content] of contents.entries()) hash.update(`${files[index]}\0${sha256(content)}\n`);
  return hash.digest('hex');
}

/** The installed version of an npm package. */
export function versionOf(name: string): string {
  return packageVersion(createRequire(import.meta.url).resolve(`${name}/package.json`));
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
