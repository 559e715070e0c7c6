/**
 * `npm run release`: whether this clone can be released as the version in package.json, and its package. `--dry-run` makes the quick checks
 * alone, and goes on after one that fails. It publishes nothing: what it prints at the end does.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dryRun = process.argv.includes('--dry-run');

/** @param {string} path @returns {string} the text of a file of the clone; empty where it is not there */
function text(path) {
  const file = new URL(`../${path}`, import.meta.url);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** @param {readonly string[]} args @returns {string} what git prints */
function git(...args) {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
}

const { version } = JSON.parse(text('package.json'));
const lock = JSON.parse(text('package-lock.json'));
/** Where else the version stands, and what stands there. */
const places = {
  'package-lock.json': lock.version,
  'package-lock.json, packages': lock.packages[''].version,
  'CITATION.cff': /^version: (.+)$/m.exec(text('CITATION.cff'))?.[1],
  'deploy/helm/colloquy/Chart.yaml, appVersion': /^appVersion: '?"?([^'"\n]+)/m.exec(
    text('deploy/helm/colloquy/Chart.yaml'),
  )?.[1],
};

const faults = [
  ...(/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version) ? [] : [`package.json: ${version} is no semantic version`]),
  ...Object.entries(places)
    .filter(([, found]) => found !== version)
    .map(
      ([where, found]) =>
        `${where} has the version ${found ?? 'none'}, and package.json ${version}: write ${version} there`,
    ),
  ...(new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d{2}-\\d{2}$`, 'm').test(
    text('CHANGELOG.md'),
  )
    ? []
    : [`CHANGELOG.md has no heading "## [${version}] - YYYY-MM-DD": name there what [Unreleased] lists`]),
  ...(git('status', '--porcelain') === ''
    ? []
    : ['the working tree has changes: commit them, or put them away']),
  ...(git('tag', '--list', `v${version}`) === '' ? [] : [`the tag v${version} exists: raise the version`]),
];
for (const fault of faults) console.error(`- ${fault}`);
if (faults.length > 0 && !dryRun) {
  console.error(`Version ${version} cannot be released yet.`);
  process.exit(1);
}

/** Those take long, so a dry run only names them. */
const steps = [['.ci/run'], ['npm', 'run', 'test:package'], ['npm', 'pack']];
for (const [program = '', ...args] of steps) {
  const line = [program, ...args].join(' ');
  if (dryRun) {
    console.log(`would run: ${line}`);
    continue;
  }
  console.log(`== ${line}`);
  if (spawnSync(program, args, { cwd: root, stdio: 'inherit' }).status !== 0) {
    console.error(`Version ${version} cannot be released: ${line} failed.`);
    process.exit(1);
  }
}
if (faults.length > 0) process.exit(1);
console.log(
  `Version ${version} can be released. Then:\n  git tag v${version} && git push origin v${version}\n  npm publish`,
);
