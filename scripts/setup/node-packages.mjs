/** The step that installs package-lock.json into node_modules. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, fingerprint } from './cache.mjs';
import { withLock } from './lock.mjs';
import { run } from './programs.mjs';

/**
 * @param {string} root
 * @returns {import('./set-up.mjs').Step}
 */
export function nodePackages(root) {
  const read = (/** @type {string} */ file) => readPackages(join(root, file));
  const isCurrent = () => isInstalled(read('package-lock.json'), read('node_modules/.package-lock.json'));
  return {
    name: 'npm packages',
    key: 'node',
    current: () => (isCurrent() ? { result: 'node_modules', note: 'as package-lock.json says' } : null),
    plan: async () => ({
      announce: 'installing node_modules (15 to 40 s)',
      carryOut: (wait) =>
        withLock(
          join(cacheFolder(), `npm-${fingerprint(root)}.lock`),
          async () => {
            if (!isCurrent()) await npmCi(root);
            return { result: 'node_modules', note: 'installed by npm ci' };
          },
          { onWait: wait },
        ),
    }),
  };
}

/**
 * Whether what npm noted in node_modules is what the lock file asks for. An optional package (a binary for another
 * platform) may be absent.
 *
 * @param {Packages | null} wanted package-lock.json
 * @param {Packages | null} installed node_modules/.package-lock.json, which npm writes last
 */
export function isInstalled(wanted, installed) {
  if (wanted === null || installed === null) return false;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true;
    const there = installed[path];
    return there === undefined ? optional === true : there.version === version;
  });
}

/** @typedef {Record<string, { version?: string, optional?: boolean }>} Packages */

/**
 * @param {string} file
 * @returns {Packages | null}
 */
function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? null;
  } catch {
    return null;
  }
}

const remedy =
  'If package-lock.json does not fit package.json: npm install --package-lock-only. Otherwise mend what it names.';

/** @param {string} root */
async function npmCi(root) {
  const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--fetch-retry-maxtimeout=10000'];
  const limits = { cwd: root, timeoutSeconds: 900, attempts: 2, what: 'npm ci', remedy };
  // Under `npm run`, use the npm that runs now; otherwise the one on PATH.
  const npm = process.env.npm_execpath;
  if (npm?.endsWith('npm-cli.js')) await run(process.execPath, [npm, ...args], limits);
  else await run('npm', args, limits);
}
