/**
 * `node scripts/setup-trackers.mjs` installs the experiment trackers in a Python environment of their own, for `npm run test:trackers`:
 * Trackio, MLflow, TensorBoard and the client of Weights & Biases. Once per user, in `~/.cache/colloquy` (1.1 GB). It is no part of the
 * set-up, and comes after it. Its last line is the path of the environment's Python.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, fingerprint } from './setup/cache.mjs';
import { makeOnce } from './setup/lock.mjs';
import { run } from './setup/programs.mjs';
import { findUv, makeVirtualEnvironment } from './setup/python-installers.mjs';
import { SetupProblem, showProblems } from './setup/set-up.mjs';
import { readToolsFile } from './setup/tools-file.mjs';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const lock = join(root, 'test', 'trackers', 'trackers.lock');

try {
  const { python } = readToolsFile(root);
  if (python === undefined)
    throw new SetupProblem('The engine has no Python environment yet.', 'Make it: npm run setup');
  const folder = join(cacheFolder(), `trackers-${fingerprint(readFileSync(lock, 'utf8'), python)}`);
  await makeOnce(folder, () => install(folder, python));
  console.log(join(folder, 'bin', 'python'));
} catch (error) {
  showProblems(error);
}

/**
 * @param {string} folder
 * @param {string} enginePython with which the new environment is made; it has none of the engine's packages
 */
async function install(folder, enginePython) {
  console.error('Colloquy: installing Trackio, MLflow, TensorBoard and wandb (a minute or two, 1.1 GB)');
  const uv = await findUv(enginePython);
  await makeVirtualEnvironment(enginePython, folder);
  const python = join(folder, 'bin', 'python');
  await run(uv, ['pip', 'install', '--python', python, '--no-deps', '-r', lock], {
    timeoutSeconds: 1200,
    what: 'uv pip install of the trackers',
  });
  await run(python, ['-c', 'import mlflow, tensorboard, trackio, wandb'], {
    timeoutSeconds: 600,
    what: 'Loading the trackers',
  });
}
