/**
 * `node scripts/setup-ray.mjs` installs a real Ray beside the engine's packages, for `npm run test:ray`: once per user, in
 * `~/.cache/colloquy` (300 MB). It is no part of the set-up, and comes after it. Its last line is the path of the environment's Python.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, fingerprint } from './setup/cache.mjs';
import { makeOnce } from './setup/lock.mjs';
import { run } from './setup/programs.mjs';
import { findUv, makeVirtualEnvironment, sitePackages } from './setup/python-installers.mjs';
import { SetupProblem, showProblems } from './setup/set-up.mjs';
import { readToolsFile } from './setup/tools-file.mjs';

const lock = fileURLToPath(new URL('../test/ray/ray.lock', import.meta.url));

try {
  const { python } = readToolsFile(fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, ''));
  if (python === undefined)
    throw new SetupProblem('The engine has no Python environment yet.', 'Make it: npm run setup');
  const folder = join(cacheFolder(), `ray-${fingerprint(readFileSync(lock, 'utf8'), python)}`);
  await makeOnce(folder, () => install(folder, python));
  console.log(join(folder, 'bin', 'python'));
} catch (error) {
  showProblems(error);
}

/**
 * @param {string} folder
 * @param {string} enginePython the Python of the engine's environment, whose packages the new one has too
 */
async function install(folder, enginePython) {
  console.error('Colloquy: installing Ray (less than a minute, 300 MB)');
  const uv = await findUv(enginePython);
  await makeVirtualEnvironment(enginePython, folder);
  const python = join(folder, 'bin', 'python');
  await run(uv, ['pip', 'install', '--python', python, '--no-deps', '-r', lock], {
    timeoutSeconds: 1200,
    what: 'uv pip install ray',
  });
  const [own, engine] = await Promise.all([python, enginePython].map(sitePackages));
  writeFileSync(join(String(own), 'colloquy-engine.pth'), `${engine}\n`);
  await run(python, ['-c', 'import ray.train.torch, trl'], { timeoutSeconds: 600, what: 'Loading Ray' });
}
