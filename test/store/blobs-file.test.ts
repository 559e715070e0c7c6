import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { basename, dirname, join, relative } from 'node:path';
import { expect, it } from 'vitest';
import { fileBlobs } from '../../src/store/blobs-file.ts';
import { temporaryPath } from '../../src/store/files/atomic.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** The name that a process has written under, which has ended since. */
const killed = spawnSync(process.execPath, ['-e', '']).pid;
const ofKilledWriter = (path: string) => temporaryPath(path).replace(`-${process.pid}-`, `-${killed}-`);

it('the temporary files and folders of killed writers are removed, and nothing else', async () => {
  const folder = temporaryFolder();
  const write = async (path: string) => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, 'half');
  };
  const kept = ['config.json', 'night/plan.json', '.hidden', 'notes.tmp'];
  for (const name of kept) await write(join(folder, name));
  await write(ofKilledWriter(join(folder, 'iteration-1', 'record.json')));
  const night = ofKilledWriter(join(folder, 'night'));
  await write(join(night, 'plan.json'));
  await write(ofKilledWriter(join(night, 'plan.json.ref.json')));
  // An export that goes on while the experiment's result is written.
  const exporting = temporaryPath(join(folder, 'export', 'trl'));
  await write(join(exporting, 'agent-1.jsonl'));
  await fileBlobs(dirname(folder)).tidy(basename(folder));
  const left = await readdir(folder, { recursive: true });
  expect(left.toSorted()).toEqual(
    [
      ...kept,
      'iteration-1',
      'night',
      'export',
      ...[exporting, join(exporting, 'agent-1.jsonl')].map((path) => relative(folder, path)),
    ].toSorted(),
  );
});
