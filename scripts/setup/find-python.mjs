/** The Python that the environment is made with. */
import { SetupProblem } from './problem.mjs';
import { ask } from './run.mjs';
import { atLeast } from './versions.mjs';

const minimum = '3.11';

/** In this order: the user's own choice first, then the newest that torch has had wheels for longest. */
const names = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python'];

/**
 * The first Python on PATH that is new enough and can make virtual environments.
 *
 * @returns {Promise<{ path: string, version: string }>}
 * @throws {SetupProblem} without one
 */
export async function findPython() {
  /** @type {string[]} */
  const unfit = [];
  for (const name of names) {
    const words = (await ask(name, ['-c', probe]))?.trim().split('\n');
    if (words === undefined) continue;
    const [path = '', version = '', venv = ''] = words;
    if (!atLeast(version, minimum)) unfit.push(`${name} is ${version}`);
    else if (venv !== 'venv') unfit.push(`${name} (${version}) has no venv module`);
    else return { path, version };
  }
  throw new SetupProblem(
    `Python ${minimum} or newer with its venv module is needed; ${unfit.join(', ') || 'no python3 is on PATH'}.`,
    'Install it: apt install python3 python3-venv (Debian, Ubuntu), brew install python@3.12 (macOS), or python.org.',
  );
}

const probe = `
import importlib.util as u, platform, sys
print(sys.executable); print(platform.python_version()); print("venv" if u.find_spec("venv") and u.find_spec("ensurepip") else "")
`;
