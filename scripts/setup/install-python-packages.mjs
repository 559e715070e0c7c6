/** Installing packages into a Python environment: by uv, or by pip where uv does not get through. */
import { SetupProblem } from './problem.mjs';
import { ask, run } from './run.mjs';

/**
 * Installs what `wanted` says (arguments of `pip install`) and returns the name of the installer that did it.
 *
 * Either compiles what it installs. Where Python may not write byte code (PYTHONDONTWRITEBYTECODE, a folder of another user), an engine or a
 * trainer would else compile thousands of modules whenever it starts, which takes 15 to 20 s of two cores.
 *
 * uv is three times as fast as pip with the project's lock (36 s and 107 s on two cores), but does not read pip's settings:
 * the index and certificates that they name are passed on, and where that is not enough pip itself has the second try.
 *
 * @param {string} python of the environment
 * @param {readonly string[]} wanted
 * @returns {Promise<'uv' | 'pip'>}
 */
export async function install(python, wanted) {
  try {
    await run(python, ['-m', 'pip', 'install', '--no-input', '--progress-bar=off', 'uv'], {
      timeoutSeconds: 180,
      what: 'pip install uv',
    });
    await run(python, ['-m', 'uv', 'pip', 'install', '--compile-bytecode', '--python', python, ...wanted], {
      env: { UV_HTTP_TIMEOUT: '60', ...(await pipSettings(python)) },
      timeoutSeconds: 1200,
      what: 'uv pip install',
    });
    return 'uv';
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
  }
  await run(python, ['-m', 'pip', 'install', '--no-input', '--progress-bar=off', ...wanted], {
    timeoutSeconds: 1800,
    what: 'pip install',
    remedy: 'If no version fits your Python, use Python 3.11 to 3.13 (it may stand beside the one you have).',
  });
  return 'pip';
}

/**
 * The index and the certificates that pip is set to use, in the variables that uv reads.
 *
 * @param {string} python
 * @returns {Promise<NodeJS.ProcessEnv>}
 */
async function pipSettings(python) {
  const settings = (await ask(python, ['-m', 'pip', 'config', 'list'])) ?? '';
  const index = /(?<!extra-)index-url='([^']+)'/.exec(settings)?.[1];
  const certificates = /cert='([^']+)'/.exec(settings)?.[1];
  return {
    ...(index === undefined ? {} : { UV_DEFAULT_INDEX: index }),
    ...(certificates === undefined ? {} : { SSL_CERT_FILE: certificates }),
  };
}
