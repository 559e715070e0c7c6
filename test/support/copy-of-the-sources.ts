import { cp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../../src/config/project-root.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';

/** A folder with `src/` as it is now, to be changed by a test, and with the project's npm packages. */
export async function copyOfTheSources(): Promise<string> {
  const root = temporaryFolder();
  await cp(join(projectRoot, 'src'), join(root, 'src'), { recursive: true });
  await symlink(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  return root;
}
