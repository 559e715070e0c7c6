import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { removeTemporaries, temporaryPath } from '../../src/store/files/atomic.ts';
import { temporaryFolder } from './temporary-folder.ts';

it('what killed writers of files and of folders left is removed, and nothing else', async () => {
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
  await removeTemporaries(folder);
  const left = await readdir(folder, { recursive: true });
  expect(left.toSorted()).toEqual([...kept, 'iteration-1', 'night'].toSorted());
});
