/** The step that makes the engine's Python environment from engine/uv.lock, once per user and lock file. */
import { existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, fingerprint, makeFolder, platform } from './cache.mjs';
import { withLock } from './lock.mjs';
import {
  cpuTorchIndex,
  findPython,
  installWithPip,
  installWithUv,
  loadPackages,
  pipSettings,
} from './python-installers.mjs';
import { SetupProblem } from './set-up.mjs';
import { readToolsFile } from './tools-file.mjs';

/**
 * @param {string} root
 * @returns {import('./set-up.mjs').Step}
 */
export function pythonPackages(root) {
  const engine = join(root, 'engine');
  return {
    name: 'Python packages',
    key: 'python',
    current() {
      const { python, madeFor } = readToolsFile(root);
      const isSame = madeFor?.python === wish(engine) && python !== undefined && existsSync(python);
      return isSame ? { result: python, note: python, madeFor: wish(engine) } : null;
    },
    async plan() {
      const python = await findPython();
      const madeFor = wish(engine);
      const folder = join(cacheFolder(), `python-${fingerprint(madeFor, python.version)}`);
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
                : await build(folder, python.path, engine);
              return { result, note: `${result} (${note})`, madeFor };
            },
            { onWait },
          ),
      };
    },
  };
}

/** How environments are made. Change the word to have every environment made again. */
const layout = 'uv sync, byte code of what is loaded';

/** Written last: an environment without it is not complete. */
const stampName = 'colloquy-complete.json';

/** @param {string} folder */
function isComplete(folder) {
  return existsSync(join(folder, stampName));
}

/**
 * A fingerprint of what an environment must have been made for to fit.
 *
 * @param {string} engine
 */
function wish(engine) {
  const lock = join(engine, 'uv.lock');
  if (existsSync(lock))
    return fingerprint(readFileSync(lock, 'utf8'), platform, hasGpu() ? 'gpu' : 'cpu', layout);
  throw new SetupProblem(
    `${lock} is missing.`,
    'In a clone: git checkout engine/uv.lock. A package: install it again.',
  );
}

/** COLLOQUY_TORCH decides for another machine than this one: an image is built where there is no graphics card. */
function hasGpu() {
  const chosen = process.env.COLLOQUY_TORCH || '';
  if (chosen === 'gpu' || chosen === 'cpu') return chosen === 'gpu';
  if (chosen === '') return existsSync('/dev/nvidiactl');
  throw new SetupProblem(
    `COLLOQUY_TORCH is ${JSON.stringify(chosen)}.`,
    'Set it to gpu or cpu, or unset it.',
  );
}

/**
 * Builds the environment where it stays, because a virtual environment cannot be moved; the caller holds its lock. What is
 * not finished is removed again (the installers keep what they downloaded).
 *
 * @param {string} folder
 * @param {string} python
 * @param {string} engine
 * @returns {Promise<string>} what installed it
 */
async function build(folder, python, engine) {
  const discard = () => rmSync(folder, { recursive: true, force: true });
  discard();
  process.once('exit', discard);
  try {
    const how = await install({ folder, python, engine }, discard);
    await loadPackages(join(folder, 'bin', 'python'));
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
 * Installs with uv. Where uv cannot be had or does not get through, pip installs the same versions; and where pip is set to
 * another index than PyPI, pip does it at once, because uv.lock names PyPI's own addresses.
 *
 * @param {{ folder: string, python: string, engine: string }} wanted
 * @param {() => void} discard removes what an installer left
 */
async function install(wanted, discard) {
  const { index, certificates } = await pipSettings(wanted.python);
  if (index === undefined) {
    const cpuIndex = process.platform === 'linux' && !hasGpu() ? await cpuTorchIndex() : null;
    try {
      await installWithUv({ ...wanted, cpuIndex, certificates });
      return cpuIndex === null ? 'installed by uv' : 'installed by uv, CPU wheels of torch';
    } catch (error) {
      if (!(error instanceof SetupProblem)) throw error;
      discard();
    }
  }
  await installWithPip(wanted);
  return 'installed by pip';
}

function checkSpace() {
  makeFolder(cacheFolder());
  const { bavail, bsize } = statfsSync(cacheFolder());
  const free = (bavail * bsize) / 1e9;
  if (free < 7) {
    throw new SetupProblem(
      `The Python packages need up to 7 GB in ${cacheFolder()}, where ${free.toFixed(1)} GB are free.`,
      'Free some space, or set XDG_CACHE_HOME to a folder on a larger disk.',
    );
  }
}
