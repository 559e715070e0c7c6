/** Other programs: what version they are, and how they run (with a time limit, and never longer than this process). */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SetupProblem } from './set-up.mjs';

/**
 * The first version number in `text` as numbers, e.g. `Python 3.11.7` -> [3, 11, 7]; null when there is none.
 *
 * @param {string} text
 * @returns {number[] | null}
 */
export function parseVersion(text) {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match === null ? null : match.slice(1).map((part) => Number(part ?? 0));
}

/**
 * Whether `version` (as a program prints it) is `minimum` or newer. A text without a version is not.
 *
 * @param {string} version
 * @param {string} minimum
 */
export function atLeast(version, minimum) {
  const have = parseVersion(version);
  const want = parseVersion(minimum);
  if (have === null || want === null) return false;
  const difference = have.map((part, index) => part - (want[index] ?? 0)).find((d) => d !== 0);
  return difference === undefined || difference > 0;
}

/** Leaders of the process groups that are running now. */
const running = new Set();

/** Ends everything that `run` started and that still runs. */
export function endAll() {
  for (const pid of running) endGroup(pid);
}

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env] in addition to this process's own
 * @property {number} timeoutSeconds
 * @property {number} [attempts] one if not given
 * @property {string} what names the step in an error
 * @property {string} [remedy] what to do about a failure, if it is not the network
 * @property {(text: string) => void} [onOutput] gets what the program prints, as it prints it
 */

/**
 * Runs a program and returns what it printed.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<string>}
 * @throws {SetupProblem} with the program's last words, when it fails or takes too long
 */
export async function run(command, args, options) {
  const attempts = options.attempts ?? 1;
  for (let attempt = 1; ; attempt += 1) {
    const { code, output } = await runOnce(command, args, options);
    if (code === 0) return output;
    if (attempt === attempts) throw failure(code, output, options);
  }
}

/**
 * What a program prints about itself (both streams), or null when it is not there, fails, or takes more than 15 s.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<string | null>}
 */
export async function ask(command, args) {
  const { code, output } = await new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 15_000 });
    collect(child, resolve);
  });
  return code === 0 ? output : null;
}

/**
 * Whether a program's words mean that it could not reach the network.
 *
 * @param {string} output
 */
export function soundsLikeNoNetwork(output) {
  return /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|no such host|dial tcp|i\/o timeout|[Nn]ame resolution|name or service not known|dns error|[Cc]onnection (refused|timed out|reset)|[Nn]etwork is unreachable|NewConnectionError|error sending request|Failed to fetch/.test(
    output,
  );
}

const guardian = fileURLToPath(new URL('../../src/engines/process/exit-with-parent.mjs', import.meta.url));

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<{ code: number | string, output: string }>}
 */
async function runOnce(command, args, { cwd, env, timeoutSeconds, onOutput }) {
  return new Promise((resolve) => {
    // The guardian ends it with this process: an installer that outlived a killed set-up would write where the next one builds.
    const child = spawn(process.execPath, [guardian, command, ...args], {
      cwd,
      env: { ...process.env, ...env },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    running.add(child.pid);
    let timedOut = false;
    const limit = setTimeout(() => {
      timedOut = true;
      endGroup(child.pid);
    }, timeoutSeconds * 1000);
    collect(
      child,
      ({ code, output }) => {
        clearTimeout(limit);
        running.delete(child.pid);
        resolve({ code: timedOut ? `no end after ${timeoutSeconds} s` : code, output });
      },
      onOutput,
    );
  });
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {(result: { code: number, output: string }) => void} done
 * @param {(text: string) => void} [onOutput]
 */
function collect(child, done, onOutput) {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      output = (output + text).slice(-200_000);
      onOutput?.(text);
    });
  }
  child.on('error', (error) => done({ code: 127, output: String(error) }));
  child.on('close', (code) => done({ code: code ?? 1, output }));
}

/** @param {number | undefined} pid */
function endGroup(pid) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended in the meantime.
  }
}

/**
 * @param {number | string} code
 * @param {string} output
 * @param {RunOptions} options
 */
function failure(code, output, { what, remedy }) {
  const last = output.trim().split('\n').slice(-12).join('\n    ');
  const network = typeof code === 'string' || soundsLikeNoNetwork(output);
  return new SetupProblem(
    `${what} failed (${typeof code === 'string' ? code : `exit code ${code}`}). It said last:\n    ${last}`,
    network
      ? 'The network seems out of reach. Check the connection (and proxy settings), then run this again: what is done stays done.'
      : (remedy ?? 'Mend what it names, then run this again: what is done stays done.'),
  );
}
