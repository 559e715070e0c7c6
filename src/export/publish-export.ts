import { rename, rm } from 'node:fs/promises';
import { StoreNotWritable } from '../store/errors.ts';
import { publishFolder, temporaryPath } from '../store/files/atomic.ts';
import { ExportFolderTaken } from './export-folder-taken.ts';
import { whyNotReplaced, writeExportManifest } from './export-manifest.ts';
import { OutputNotWritable } from './output-not-writable.ts';

/**
 * Makes the folder of an export with all that `write` puts into it, or not at all. An export that is there already, as it was
 * written, is replaced in the last moment; anything else that is there stays.
 *
 * @param path absolute
 * @param facts what is exported, for its colloquy-export.json
 * @throws ExportFolderTaken before anything is written, OutputNotWritable, DiskFull, and what `write` throws
 */
export async function publishExport(
  path: string,
  facts: object,
  write: (folder: string) => Promise<void>,
): Promise<void> {
  await requireReplaceable(path);
  const before = temporaryPath(path);
  try {
    const published = await publishFolder(path, async (folder) => {
      await write(folder);
      await writeExportManifest(folder, facts);
      await requireReplaceable(path);
      await moveIfThere(path, before);
    });
    if (!published) throw new ExportFolderTaken(path, 'was made by another program in the meantime');
  } catch (error) {
    await moveIfThere(before, path);
    if (error instanceof StoreNotWritable) throw new OutputNotWritable(path, error);
    // The folder above it was made before: where it still is not there, nothing can be made (/proc and the like).
    if (error instanceof Error && 'syscall' in error && error.syscall === 'mkdir')
      throw new OutputNotWritable(path, error);
    throw error;
  }
  await rm(before, { recursive: true, force: true });
}

async function requireReplaceable(path: string): Promise<void> {
  const reason = await whyNotReplaced(path);
  if (reason !== null) throw new ExportFolderTaken(path, reason);
}

async function moveIfThere(path: string, to: string): Promise<void> {
  try {
    await rename(path, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
