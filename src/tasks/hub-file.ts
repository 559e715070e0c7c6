import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreNotWritable } from '../store/store-not-writable.ts';
import { writeAtomically } from '../store/write-atomically.ts';
import { DatasetNotReachable } from './dataset-not-reachable.ts';

/** A dataset of the hub at a commit. */
export type DatasetVersion = {
  readonly name: string;
  /** The commit. */
  readonly revision: string;
  /** The setting that names a local copy instead, for messages. */
  readonly setting: string;
};

/**
 * A file of a dataset in Hugging Face's own cache, where `hf download` and the Python libraries find it too; downloaded first
 * when it is not there. Obeys the variables that those obey: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE.
 *
 * @param path within the dataset
 * @returns its absolute path
 * @throws DatasetNotReachable
 */
export async function hubFile(version: DatasetVersion, path: string, signal?: AbortSignal): Promise<string> {
  // Only now, as most workers never load a dataset, and this library takes its time to be loaded.
  const { downloadFile, getHFHubCachePath, getRepoFolderName } = await import('@huggingface/hub');
  const { name, revision } = version;
  const repo = { type: 'dataset', name } as const;
  const cached = join(getHFHubCachePath(), getRepoFolderName(repo), 'snapshots', revision, path);
  if (await isThere(cached)) return cached;
  if (isOffline()) {
    throw new DatasetNotReachable(version, path, `HF_HUB_OFFLINE is set, and ${cached} is not there`);
  }
  const hubUrl = process.env['HF_ENDPOINT']?.replace(/\/+$/, '') || 'https://huggingface.co';
  const download = async (): Promise<Uint8Array> => {
    const blob = await downloadFile({
      repo,
      revision,
      path,
      hubUrl,
      fetch: (url, init) => fetch(url, { ...init, signal: signal ?? null }),
      // These files are small; plain HTTP from one host is what mirrors and proxies can serve.
      xet: false,
    });
    if (blob === null) throw new Error('that revision has no such file');
    const bytes = new Uint8Array(await blob.arrayBuffer());
    if (bytes.length !== blob.size) throw new Error(`${bytes.length} of ${blob.size} bytes came`);
    return bytes;
  };
  const bytes = await download().catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw new DatasetNotReachable(version, path, `${hubUrl}: ${causeOf(cause)}`, { cause });
  });
  await writeAtomically(cached, [bytes]).catch((error: unknown) => {
    if (!(error instanceof StoreNotWritable)) throw error;
    const why = `the cache cannot be written (${causeOf(error)}); set HF_HOME to a folder that can be`;
    throw new DatasetNotReachable(version, path, why, { cause: error });
  });
  return cached;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** As Hugging Face's own tools read it. */
function isOffline(): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes(process.env['HF_HUB_OFFLINE']?.toUpperCase() ?? '');
}

/** Node's fetch says only "fetch failed", and the store that it could not write: what failed stands in the cause. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}
