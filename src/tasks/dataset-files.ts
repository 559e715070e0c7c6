import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { DatasetPart } from './dataset-part.ts';
import { hubFile } from './hub-file.ts';
import { InvalidTaskFile } from './invalid-task-file.ts';

/**
 * The files of a split of a dataset: of the local copy, if one is named, or else of the hub.
 *
 * @returns absolute paths, one for each config
 * @throws InvalidTaskFile when the local copy has not all of them
 * @throws DatasetNotReachable
 */
export async function datasetFiles(part: DatasetPart, signal?: AbortSignal): Promise<string[]> {
  const { dataset, split, revision, folder, setting } = part;
  const paths = dataset.configs.map((config) =>
    dataset.file.replace('{config}', config).replace('{split}', split),
  );
  if (folder !== undefined) return localFiles(part, resolve(folder), paths);
  const files: string[] = [];
  for (const path of paths)
    files.push(await hubFile({ name: dataset.name, revision, setting }, path, signal));
  return files;
}

/** As the hub has them, or all configs in one file that is named after the split. */
function localFiles({ dataset, split, setting }: DatasetPart, folder: string, paths: string[]): string[] {
  const [lacking] = paths.filter((path) => !existsSync(join(folder, path)));
  if (lacking === undefined) return paths.map((path) => join(folder, path));
  const whole = [`${split}.jsonl`, `${split}.parquet`];
  const [found] = whole.filter((name) => existsSync(join(folder, name)));
  if (found !== undefined) return [join(folder, found)];
  const looked = [lacking, ...whole.filter((name) => name !== lacking)].join(', nor ');
  const message = `${setting} names it as a copy of ${dataset.name}, but it has no ${looked}`;
  throw new InvalidTaskFile(folder, [{ line: 0, message }]);
}
