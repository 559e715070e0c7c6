/** The programs that scripts/setup-deploy.mjs installs. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../../src/config/installation.ts';

const setUp = spawnSync(process.execPath, [join(projectRoot, 'scripts', 'setup-deploy.mjs')], {
  encoding: 'utf8',
});
if (setUp.status !== 0) throw new Error(setUp.stderr);

/** The folder with the programs in `bin`. */
export const checkers: string = setUp.stdout.trim().split('\n').at(-1) ?? '';

/** Runs one of them in the project's folder; gives its exit code and what it printed. */
export function check(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): { readonly status: number | null; readonly out: string; readonly err: string } {
  const done = spawnSync(join(checkers, 'bin', program), args, {
    cwd: projectRoot,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
  });
  if (done.error !== undefined) throw done.error;
  return { status: done.status, out: done.stdout, err: done.stderr };
}
