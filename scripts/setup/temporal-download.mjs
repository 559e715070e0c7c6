/** The Temporal CLI from where the SDK itself downloads it for its tests. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './run.mjs';

/** @typedef {{ archiveUrl: string, fileToExtract: string }} Download */

/**
 * The archive with the CLI that this SDK version names; null when the address does not answer within three seconds.
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
 * Downloads the CLI to `destination`, which appears only when it is complete and has run once; false when that fails, for
 * whatever reason: another way to a CLI may be open.
 *
 * @param {Download} download
 * @param {string} destination
 * @returns {Promise<boolean>}
 */
export async function downloadTemporal({ archiveUrl, fileToExtract }, destination) {
  mkdirSync(dirname(destination), { recursive: true });
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
 * The address that Temporal's SDK core asks for the archive's own address.
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
