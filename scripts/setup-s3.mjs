/**
 * `node scripts/setup-s3.mjs` builds versitygw, a real S3 server, for `npm run test:s3`: once per user, in `~/.cache/colloquy` (84 MB, two
 * minutes of CPU). It needs Go and is no part of the set-up. Its last line is the path of the program.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './setup/cache.mjs';
import { withLock } from './setup/lock.mjs';
import { run } from './setup/programs.mjs';
import { SetupProblem, showProblems } from './setup/set-up.mjs';

const version = 'v1.8.0';

try {
  const program = join(cacheFolder(), `versitygw-${version}`);
  await withLock(`${program}.lock`, () => built(program));
  console.log(program);
} catch (error) {
  showProblems(error);
}

/** @param {string} program */
async function built(program) {
  if (existsSync(program)) return;
  console.error('Colloquy: building versitygw (two minutes, 84 MB)');
  const folder = `${program}.building`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    await run('go', ['install', `github.com/versity/versitygw/cmd/versitygw@${version}`], {
      timeoutSeconds: 1800,
      what: 'go install versitygw',
      env: { GOBIN: folder },
    });
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    throw new SetupProblem(
      error.message,
      'Install Go 1.24 or later (https://go.dev/dl), with its folder in PATH.',
    );
  }
  renameSync(join(folder, 'versitygw'), program);
  rmSync(folder, { recursive: true, force: true });
}
