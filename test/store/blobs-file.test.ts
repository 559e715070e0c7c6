import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { fileBlobs } from '../../src/store/blobs-file.ts';
import { temporaryPath } from '../../src/store/files/atomic.ts';
import { temporaryFolder } from './temporary-folder.ts';

it('the temporary files and folders of killed writers are removed, and nothing else', async () => {
  const folder = temporaryFolder();
  const write = async (path: string) => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, 'half');
  };
  const kept = ['config.json', 'night/plan.json', '.hidden', 'notes.tmp'];
  for (const name of kept) await write(join(folder, name));
  await write(temporaryPath(join(folder, 'iteration-1', 'record.json')));
  const night = temporaryPath(join(folder, 'night'));
  await write(join(night, 'plan.json'));
  await write(temporaryPath(join(night, 'plan.json.ref.json')));
  await fileBlobs(dirname(folder)).tidy(basename(folder));
  const left = await readdir(folder, { recursive: true });
  expect(left.toSorted()).toEqual([...kept, 'iteration-1', 'night'].toSorted());
});
