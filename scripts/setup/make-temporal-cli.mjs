/** Two ways to a Temporal CLI that the machine does not have: download it from where the SDK does, or build it with Go. */
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder } from './cache.mjs';
import { run } from './programs.mjs';

/** The version that tools/temporal/go.mod pins. */
export const builtVersion = '1.5.1';

const source = 'github.com/temporalio/cli';

/** How far a build has come. */
export class BuildProgress {
  /** @type {number | null} packages in the whole program; null while that is not known */
  total = null;
  compiled = 0;

  /** @param {string} text what `go build -v` printed: the name of each package that it compiles, one a line */
  read(text) {
    this.compiled += text.split('\n').filter((line) => line !== '' && !line.startsWith('go: ')).length;
  }

  toString() {
    const of = this.total === null ? '' : ` of ${this.total}`;
    return `building the Temporal CLI with Go: ${this.compiled}${of} packages compiled`;
  }
}

/**
 * Builds the CLI at `destination`, which appears only when it is complete, with the versions and sums that
 * tools/temporal/go.mod and go.sum pin.
 *
 * @param {string} root
 * @param {string} destination
 * @param {BuildProgress} progress is kept up to date
 * @throws {SetupProblem}
 */
export async function buildTemporal(root, destination, progress) {
  makeFolder(dirname(destination));
  const unfinished = `${destination}.building`;
  rmSync(unfinished, { force: true });
  const options = {
    cwd: join(root, 'tools', 'temporal'),
    env: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false -mod=readonly', GOWORK: 'off' },
    timeoutSeconds: 3600,
    attempts: 2,
    what: 'Building the Temporal CLI with Go',
  };
  const program = `${source}/cmd/temporal`;
  // It downloads the sources, which the build needs in any case.
  const packages = await run('go', ['list', '-deps', program], options);
  progress.total = packages.trim().split('\n').length;
  // Without its symbols the program is a third smaller and links faster; without cgo no C compiler is needed.
  const flags = `-s -w -X ${source}/temporalcli.Version=${builtVersion}`;
  await run('go', ['build', '-v', '-trimpath', '-ldflags', flags, '-o', unfinished, program], {
    ...options,
    onOutput: (text) => progress.read(text),
  });
  await run(unfinished, ['--version'], { timeoutSeconds: 30, what: 'Running the Temporal CLI just built' });
  renameSync(unfinished, destination);
}

/** @typedef {{ archiveUrl: string, fileToExtract: string }} Download */

/**
 * The archive with the CLI that this version of the SDK uses; null if its address does not answer within three seconds.
 *
 * @param {string} root
 * @returns {Promise<Download | null>}
 */
export async function findDownload(root) {
  try {
    const answer = await fetch(downloadAddress(sdkVersion(root)), { signal: AbortSignal.timeout(3_000) });
    const { archiveUrl, fileToExtract } = await answer.json();
    return answer.ok && typeof archiveUrl === 'string' && typeof fileToExtract === 'string'
      ? { archiveUrl, fileToExtract }
      : null;
  } catch {
    return null;
  }
}

/**
 * Downloads the CLI to `destination`, which appears only when it is complete and has run once. Returns false when that fails
 * for any reason, because the CLI may still be built.
 *
 * @param {Download} download
 * @param {string} destination
 * @returns {Promise<boolean>}
 */
export async function downloadTemporal({ archiveUrl, fileToExtract }, destination) {
  makeFolder(dirname(destination));
  const folder = mkdtempSync(join(dirname(destination), 'download-'));
  try {
    const answer = await fetch(archiveUrl, { signal: AbortSignal.timeout(300_000) });
    if (!answer.ok) return false;
    const archive = join(folder, 'temporal.tar.gz');
    writeFileSync(archive, Buffer.from(await answer.arrayBuffer()));
    await run('tar', ['-xzf', archive, '-C', folder], {
      timeoutSeconds: 120,
      what: 'Unpacking the Temporal CLI',
    });
    const program = join(folder, fileToExtract);
    chmodSync(program, 0o755);
    await run(program, ['--version'], {
      timeoutSeconds: 30,
      what: 'Running the Temporal CLI just downloaded',
    });
    renameSync(program, destination);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The address at which Temporal's SDK core asks where the archive is.
 *
 * @param {string} version of the SDK
 * @param {{ platform: string, arch: string }} [machine]
 */
export function downloadAddress(version, machine = process) {
  const parameters = new URLSearchParams({
    arch: machine.arch === 'arm64' ? 'arm64' : 'amd64',
    platform: machine.platform === 'win32' ? 'windows' : machine.platform,
    format: 'tar.gz',
    'sdk-name': 'sdk-typescript',
    'sdk-version': version,
  });
  return `https://temporal.download/cli/default?${parameters}`;
}

/**
 * The version of Temporal's SDK that package.json pins.
 *
 * @param {string} root
 * @returns {string}
 */
export function sdkVersion(root) {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies['@temporalio/worker'];
}
