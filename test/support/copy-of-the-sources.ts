import { cp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../../src/config/installation.ts';
import { oddNameOfProject } from './scratch-folder.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';

/** A folder with the code as it is now, to be changed by a test, that can be bundled and run as the project itself. */
export async function copyOfTheSources(): Promise<string> {
  const root = temporaryFolder(oddNameOfProject);
  for (const folder of ['src', join('test', 'support')])
    await cp(join(projectRoot, folder), join(root, folder), { recursive: true });
  for (const same of ['configs', 'engine', 'scripts', 'node_modules', 'package.json', '.tools.json'])
    await symlink(join(projectRoot, same), join(root, same));
  return root;
}
