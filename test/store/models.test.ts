import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findModel } from '../../src/store/models.ts';
import { openStore } from '../../src/store/store.ts';
import { writeModel } from '../export/exportable-experiment.ts';
import { temporaryFolder } from './temporary-folder.ts';

const key = 'a'.repeat(64);

describe('a model is set aside and made again when its trainer has', () => {
  const weights = (folder: string) => join(folder, 'adapter_model.safetensors');
  const naming = (name: string) => (folder: string) => {
    const path = join(folder, 'manifest.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { files: Record<string, object> };
    writeFileSync(
      path,
      JSON.stringify({
        ...manifest,
        files: { ...manifest.files, [name]: manifest.files['adapter_model.safetensors'] },
      }),
    );
  };
  it.each<[string, (folder: string) => unknown]>([
    ['named a file above its folder', naming('../../outside')],
    ['named a file by its absolute path', naming('/etc/passwd')],
    ['named its own folder', naming('.')],
    ['named a file that it never wrote', naming('more.safetensors')],
    [
      'put a link to something endless in the place of its weights',
      (folder) => relinked(weights(folder), '/dev/zero'),
    ],
    ['put a link to other bytes there', (folder) => relinked(weights(folder), join(folder, 'manifest.json'))],
    ['put a pipe there', (folder) => (rmSync(weights(folder)), execFileSync('mkfifo', [weights(folder)]))],
    ['put a folder there', (folder) => relinked(weights(folder), folder)],
    [
      'written a manifest that is no JSON',
      (folder) => writeFileSync(join(folder, 'manifest.json'), '\0\u{fffd}'),
    ],
  ])('%s', async (_, spoil) => {
    const root = temporaryFolder();
    const store = openStore(root);
    writeModel(store, key, 'weights');
    writeFileSync(join(root, 'outside'), 'weights');
    spoil(store.model(key).where);
    const problems: string[] = [];
    expect(await findModel(store, key, ({ problem }) => problems.push(problem))).toBeNull();
    expect(problems).toHaveLength(1);
    expect(existsSync(store.model(key).where)).toBe(false);
    expect(readFileSync(join(root, 'outside'), 'utf8')).toBe('weights');
    writeModel(store, key, 'weights');
    expect(await findModel(store, key)).not.toBeNull();
  });
});

function relinked(path: string, target: string): void {
  rmSync(path);
  symlinkSync(target, path);
}
