/** colloquy-export.json: how an export's folder is known again, and whether anybody has changed it since. */
import { lstat, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../store/files/atomic.ts';
import { readIfThere, sha256File } from '../store/files/sealed.ts';

const fileName = 'colloquy-export.json';
const manifestSchema = z.object({ formatVersion: z.literal(1), files: z.record(z.string(), z.string()) });

/** Writes it, last of all, with the SHA-256 of every file that is in the folder. */
export async function writeExportManifest(folder: string, facts: object): Promise<void> {
  const files = Object.fromEntries(
    await Promise.all(
      (await pathsBelow(folder)).map(async (path) => [path, await sha256File(join(folder, path))] as const),
    ),
  );
  const text = `${JSON.stringify({ formatVersion: 1, ...facts, files }, null, 2)}\n`;
  await writeAtomically(join(folder, fileName), [Buffer.from(text)]);
}

/**
 * What speaks against replacing what is at `path` by an export: null when there is nothing, an empty folder, or an export as
 * it was written.
 */
export async function whyNotReplaced(path: string): Promise<string | null> {
  let isFolder: boolean;
  try {
    isFolder = (await lstat(path)).isDirectory();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return null;
    if (code === 'ENOTDIR') return 'lies below a file';
    if (code === 'ENAMETOOLONG') return 'is too long a name for this disk';
    throw error;
  }
  if (!isFolder) return 'is no folder';
  const manifest = await readIfThere(join(path, fileName));
  if (manifest === null) {
    // Not all that is below it: it may be somebody's whole disk.
    const [first] = (await readdir(path)).toSorted();
    return first === undefined ? null : `holds ${first}, which no export has written`;
  }
  const found = await pathsBelow(path);
  const { files } = manifestOf(manifest);
  const added = found.find((each) => files[each] === undefined);
  if (added !== undefined) return `holds ${added}, which no export has written`;
  for (const each of found)
    if ((await sha256File(join(path, each))) !== files[each])
      return `is an export, but its ${each} was changed since`;
  return null;
}

/** One that cannot be read names no file: then everything in the folder is somebody else's. */
function manifestOf(bytes: Buffer): { readonly files: Readonly<Record<string, string>> } {
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    return { files: {} };
  }
}

/** All but folders and the manifest itself, relative to the folder, in a fixed order. */
async function pathsBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
    .filter((path) => path !== fileName)
    .toSorted();
}
