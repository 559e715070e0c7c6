/** The step that makes the engine's Python environment from engine/requirements.lock, once per user and lock. */
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, fingerprint, platform } from './cache.mjs';
import { findPython } from './find-python.mjs';
import { install } from './install-python-packages.mjs';
import { withLock } from './lock.mjs';
import { SetupProblem } from './problem.mjs';
import { cpuLock, cpuTorchIndex, torchRequirement } from './requirements.mjs';
import { run } from './run.mjs';
import { readToolsFile } from './tools-file.mjs';

/**
 * @param {string} root
 * @returns {import('./set-up.mjs').Step}
 */
export function pythonPackages(root) {
  return {
    name: 'Python packages',
    key: 'python',
    current() {
      const { python, madeFor } = readToolsFile(root);
      const isSame = madeFor?.python === wish(root) && python !== undefined && existsSync(python);
      return isSame ? { result: python, note: python, madeFor: wish(root) } : null;
    },
    async plan() {
      const lock = readLock(root);
      const python = await findPython();
      const madeFor = wish(root);
      const folder = join(
        cacheFolder(),
        `python-${fingerprint(lock, python.version, platform, hasGpu() ? 'gpu' : 'cpu', layout)}`,
      );
      const result = join(folder, 'bin', 'python');
      if (isComplete(folder)) return { carryOut: async () => ({ result, note: result, madeFor }) };
      checkSpace();
      return {
        announce: `installing torch, transformers, peft and trl for Python ${python.version} (1-3 min, up to 6 GB)`,
        carryOut: (onWait) =>
          withLock(
            `${folder}.lock`,
            async () => {
              const note = isComplete(folder)
                ? 'made by another set-up'
                : await build(folder, python.path, lock);
              return { result, note: `${result} (${note})`, madeFor };
            },
            { onWait },
          ),
      };
    },
  };
}

/** How environments are made: another word here has each made anew. */
const layout = 'byte code';

/** Written last: an environment without it is a half-built one. */
const stampName = 'colloquy-complete.json';

/** @param {string} folder */
function isComplete(folder) {
  return existsSync(join(folder, stampName));
}

/**
 * What an environment must have been made for to fit.
 *
 * @param {string} root
 */
function wish(root) {
  return fingerprint(readLock(root), platform, hasGpu() ? 'gpu' : 'cpu', layout);
}

/** @param {string} root */
function readLock(root) {
  const file = join(root, 'engine', 'requirements.lock');
  if (existsSync(file)) return readFileSync(file, 'utf8');
  throw new SetupProblem(
    `${file} is missing.`,
    'It is part of the repository: git checkout engine/requirements.lock',
  );
}

function hasGpu() {
  return existsSync('/dev/nvidiactl');
}

/**
 * A virtual environment cannot be moved, so it is built where it stays; the caller holds its lock. What is not finished is
 * removed again (the installers keep what they downloaded).
 *
 * @param {string} folder
 * @param {string} python
 * @param {string} lock
 */
async function build(folder, python, lock) {
  const discard = () => rmSync(folder, { recursive: true, force: true });
  discard();
  mkdirSync(folder, { recursive: true });
  process.once('exit', discard);
  try {
    const how = await fill(folder, python, lock);
    writeFileSync(join(folder, stampName), JSON.stringify({ python, how }) + '\n');
    return how;
  } catch (error) {
    discard();
    throw error;
  } finally {
    process.off('exit', discard);
  }
}

/**
 * Makes the environment, installs the lock and loads what was installed; returns with what.
 *
 * @param {string} folder
 * @param {string} python
 * @param {string} lock
 */
async function fill(folder, python, lock) {
  const own = join(folder, 'bin', 'python');
  await run(python, ['-m', 'venv', folder], {
    timeoutSeconds: 300,
    what: 'Making the Python environment',
    remedy: "Python's venv module must work: on Debian and Ubuntu, apt install python3-venv.",
  });
  const index = process.platform === 'linux' && !hasGpu() ? await cpuTorchIndex() : null;
  const requirements = join(folder, 'requirements.txt');
  writeFileSync(requirements, index === null ? lock : cpuLock(lock));
  const torch = torchRequirement(lock);
  if (index !== null && torch !== null) await install(own, ['--index-url', index, '--no-deps', torch]);
  const installer = await install(own, ['-r', requirements]);
  await run(own, ['-c', 'import torch, transformers, peft, trl; from trl import SFTTrainer'], {
    timeoutSeconds: 600,
    what: 'Loading the Python packages just installed',
  });
  return index === null ? installer : `${installer}, CPU wheels of torch`;
}

function checkSpace() {
  mkdirSync(cacheFolder(), { recursive: true });
  const { bavail, bsize } = statfsSync(cacheFolder());
  const free = (bavail * bsize) / 1e9;
  if (free < 7) {
    throw new SetupProblem(
      `The Python packages need up to 7 GB in ${cacheFolder()}, where ${free.toFixed(1)} GB are free.`,
      'Free some space, or set XDG_CACHE_HOME to a folder on a larger disk.',
    );
  }
}
