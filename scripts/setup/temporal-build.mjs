/** A Temporal CLI built from source, with the versions and sums that tools/temporal/go.mod and go.sum pin. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './run.mjs';

const source = 'github.com/temporalio/cli';

/**
 * Builds the CLI at `destination`, which appears only when it is complete.
 *
 * @param {string} root
 * @param {string} destination
 * @param {string} version what it shall say that it is
 */
export async function buildTemporal(root, destination, version) {
  mkdirSync(dirname(destination), { recursive: true });
  const unfinished = `${destination}.building`;
  rmSync(unfinished, { force: true });
  // Without its symbols the program is a third smaller and links faster; without cgo no C compiler is needed.
  const flags = `-s -w -X ${source}/temporalcli.Version=${version}`;
  await run('go', ['build', '-trimpath', '-ldflags', flags, '-o', unfinished, `${source}/cmd/temporal`], {
    cwd: join(root, 'tools', 'temporal'),
    env: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false -mod=readonly', GOWORK: 'off' },
    timeoutSeconds: 3600,
    attempts: 2,
    what: 'Building the Temporal CLI with Go',
  });
  await run(unfinished, ['--version'], { timeoutSeconds: 30, what: 'Running the Temporal CLI just built' });
  renameSync(unfinished, destination);
}
