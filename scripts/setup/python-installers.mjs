/** How the engine's Python environment is made: the Python for it, and the two installers, uv and pip. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './cache.mjs';
import { withLock } from './lock.mjs';
import { ask, atLeast, run } from './programs.mjs';
import { SetupProblem } from './set-up.mjs';

const minimumPython = '3.11';
/** In this order: the user's own choice first, then the newest for which torch has had wheels for longest. */
const pythonNames = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python'];

/** The oldest uv on PATH that is used: older ones do not read the lock file. */
const minimumUv = '0.5';
/** The uv that is installed when none is on PATH. */
const ownUv = '0.13.9';

/** PyTorch's own index of wheels without CUDA, a tenth of the size of the ordinary ones. */
const cpuIndex = 'https://download.pytorch.org/whl/cpu';

/**
 * What an environment is made from.
 *
 * @typedef {object} Wanted
 * @property {string} folder of the environment; it does not exist yet
 * @property {string} python that the environment is made with
 * @property {string} engine the folder of pyproject.toml, uv.lock and requirements.lock (uv.lock as pip reads it)
 * @property {string | null} cpuIndex where uv takes torch without CUDA from; null for the ordinary wheels
 * @property {string | undefined} certificates the file of certificates that pip is set to use
 */

/**
 * Installs what uv.lock names with uv, which takes a third of pip's time.
 *
 * @param {Wanted} wanted
 * @throws {SetupProblem}
 */
export async function installWithUv({ folder, python, engine, cpuIndex: index, certificates }) {
  const uv = await findUv(python);
  const env = {
    UV_PROJECT_ENVIRONMENT: folder,
    UV_HTTP_TIMEOUT: '60',
    ...(certificates === undefined ? {} : { SSL_CERT_FILE: certificates }),
  };
  const options = { env, timeoutSeconds: 1200, what: 'uv sync' };
  const { torch, onlyForCuda } = torchPackages(engine);
  const without = index === null ? [] : ['torch', ...onlyForCuda];
  const leaveOut = without.flatMap((name) => ['--no-install-package', name]);
  const project = ['--project', engine, '--python', python, '--no-python-downloads'];
  await run(uv, ['sync', '--frozen', '--group', 'dev', ...project, ...leaveOut], options);
  if (index === null) return;
  const into = ['--python', join(folder, 'bin', 'python'), '--no-deps', '--index-url', index];
  await run(uv, ['pip', 'install', ...into, torch], { ...options, what: 'uv pip install torch' });
}

/**
 * Installs the same versions with pip: slower, but it needs no uv, and it reads the user's pip settings.
 *
 * @param {Pick<Wanted, 'folder' | 'python' | 'engine'>} wanted
 * @throws {SetupProblem}
 */
export async function installWithPip({ folder, python, engine }) {
  await makeVirtualEnvironment(python, folder);
  await pip(folder, ['--no-compile', '-r', join(engine, 'requirements.lock')], {
    timeoutSeconds: 1800,
    what: 'pip install',
    remedy: 'If no version fits your Python, use Python 3.11 to 3.13 (it may stand beside the one you have).',
  });
}

/**
 * @param {string} folder of a virtual environment
 * @param {readonly string[]} wanted
 * @param {import('./programs.mjs').RunOptions} options
 */
async function pip(folder, wanted, options) {
  const install = ['-m', 'pip', 'install', '--no-input', '--progress-bar=off'];
  await run(join(folder, 'bin', 'python'), [...install, ...wanted], options);
}

/**
 * Loads what the engine imports, which shows that the packages fit each other, and writes its byte code. Where Python may not
 * write any (PYTHONDONTWRITEBYTECODE, a folder of another user), an engine or a trainer would otherwise compile 3,300 modules
 * each time it starts, in 15 to 20 s. To compile all 12,000 modules of the packages takes twice the time of this.
 *
 * @param {string} python of the environment
 * @throws {SetupProblem}
 */
export async function loadPackages(python) {
  const modules = 'aiohttp.web, datasets, peft, pytest, safetensors.torch, tokenizers, torch, transformers';
  // pydantic and trl import their parts when they are asked for them.
  const parts = 'from pydantic import BaseModel; from trl import SFTTrainer';
  await run(python, ['-c', `import ${modules}; ${parts}`], {
    env: { PYTHONDONTWRITEBYTECODE: '', PYTHONPYCACHEPREFIX: '' },
    timeoutSeconds: 600,
    what: 'Loading the Python packages just installed',
  });
}

/**
 * The first Python on PATH that is new enough and can make virtual environments.
 *
 * @returns {Promise<{ path: string, version: string }>}
 * @throws {SetupProblem} without one
 */
export async function findPython() {
  /** @type {string[]} */
  const unfit = [];
  for (const name of pythonNames) {
    const words = (await ask(name, ['-c', probe]))?.trim().split('\n');
    if (words === undefined) continue;
    const [path = '', version = '', venv = ''] = words;
    if (!atLeast(version, minimumPython)) unfit.push(`${name} is ${version}`);
    else if (venv !== 'venv') unfit.push(`${name} (${version}) has no venv module`);
    else return { path, version };
  }
  throw new SetupProblem(
    `Python ${minimumPython} or newer with its venv module is needed; ${unfit.join(', ') || 'no python3 is on PATH'}.`,
    'Install it: apt install python3 python3-venv (Debian, Ubuntu), brew install python@3.12 (macOS), or python.org.',
  );
}

const probe = `
import importlib.util as u, platform, sys
print(sys.executable); print(platform.python_version()); print("venv" if u.find_spec("venv") and u.find_spec("ensurepip") else "")
`;

/**
 * The uv on PATH if it is new enough, else this user's own, which is installed when it is missing or does not run.
 *
 * @param {string} python
 * @returns {Promise<string>}
 */
export async function findUv(python) {
  if (atLeast((await ask('uv', ['--version'])) ?? '', minimumUv)) return 'uv';
  const folder = join(cacheFolder(), `uv-${ownUv}`);
  const uv = join(folder, 'bin', 'uv');
  return withLock(`${folder}.lock`, async () => {
    if ((await ask(uv, ['--version'])) !== null) return uv;
    rmSync(folder, { recursive: true, force: true });
    await makeVirtualEnvironment(python, folder);
    await pip(folder, ['--no-compile', `uv==${ownUv}`], { timeoutSeconds: 180, what: 'pip install uv' });
    return uv;
  });
}

/**
 * @param {string} python
 * @param {string} folder
 */
export async function makeVirtualEnvironment(python, folder) {
  await run(python, ['-m', 'venv', folder], {
    timeoutSeconds: 300,
    what: 'Making the Python environment',
    remedy: "Python's venv module must work: on Debian and Ubuntu, apt install python3-venv.",
  });
}

/**
 * The package index and the certificates that pip is set to use. uv reads neither, and uv.lock names PyPI's own addresses.
 *
 * @param {string} python
 * @returns {Promise<{ index?: string, certificates?: string }>}
 */
export async function pipSettings(python) {
  const settings = (await ask(python, ['-m', 'pip', 'config', 'list'])) ?? '';
  const index = /(?<!extra-)index-url='([^']+)'/.exec(settings)?.[1];
  const certificates = /cert='([^']+)'/.exec(settings)?.[1];
  return {
    ...(index === undefined ? {} : { index }),
    ...(certificates === undefined ? {} : { certificates }),
  };
}

/**
 * The address of PyTorch's CPU wheels if it answers within three seconds, else null (then the ordinary wheels serve).
 *
 * @returns {Promise<string | null>}
 */
export async function cpuTorchIndex() {
  try {
    const answer = await fetch(`${cpuIndex}/torch/`, { signal: AbortSignal.timeout(3_000) });
    return answer.ok ? cpuIndex : null;
  } catch {
    return null;
  }
}

/**
 * What of the lock file depends on whether there is a GPU.
 *
 * @param {string} engine
 * @returns {{ torch: string, onlyForCuda: string[] }} torch itself as a requirement (`torch==2.15.0`), and the names of the
 *   packages that only its CUDA build needs
 */
export function torchPackages(engine) {
  const lock = readFileSync(join(engine, 'uv.lock'), 'utf8');
  const packages = [...lock.matchAll(/^name = "(.+)"\nversion = "(.+)"$/gm)];
  const version = packages.find(([, name]) => name === 'torch')?.[2];
  const names = packages.map(([, name]) => name ?? '');
  return {
    torch: `torch==${version}`,
    onlyForCuda: names.filter((name) => /^(nvidia|cuda)-|^triton$/.test(name)),
  };
}

/**
 * The folder that has the packages of a Python.
 *
 * @param {string} python
 */
export async function sitePackages(python) {
  const options = { timeoutSeconds: 60, what: 'python' };
  return (await run(python, ['-c', 'import site; print(site.getsitepackages()[0])'], options)).trim();
}
