/** Running other programs: bounded in time, repeated once, gone when this process is gone. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SetupProblem } from './problem.mjs';

/** Leaders of the process groups that are running now. */
const running = new Set();

/** Ends everything that `run` started and that still runs. */
export function endAll() {
  for (const pid of running) endGroup(pid);
}

/**
 * Runs a program and returns what it printed.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutSeconds: number, attempts?: number, what: string, remedy?: string }} options
 *   `what` names the step in an error
 * @returns {Promise<string>}
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

/** Whether a program's words mean that the network was not to be reached.
 *
 * @param {string} output
 */
export function soundsLikeNoNetwork(output) {
  return /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|no such host|dial tcp|i\/o timeout|[Nn]ame resolution|name or service not known|dns error|[Cc]onnection (refused|timed out|reset)|[Nn]etwork is unreachable|NewConnectionError|error sending request|Failed to fetch/.test(
    output,
  );
}

const guardian = fileURLToPath(new URL('../../src/workers/exit-with-parent.mjs', import.meta.url));

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutSeconds: number }} options
 * @returns {Promise<{ code: number | string, output: string }>}
 */
async function runOnce(command, args, { cwd, env, timeoutSeconds }) {
  return new Promise((resolve) => {
    // Under the guardian: an installer that outlived a killed set-up would go on writing where the next one builds.
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
    collect(child, ({ code, output }) => {
      clearTimeout(limit);
      running.delete(child.pid);
      resolve({ code: timedOut ? `no end after ${timeoutSeconds} s` : code, output });
    });
  });
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {(result: { code: number, output: string }) => void} done
 */
function collect(child, done) {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-200_000)));
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
    // It has ended meanwhile.
  }
}

/**
 * @param {number | string} code
 * @param {string} output
 * @param {{ what: string, remedy?: string, timeoutSeconds: number }} options
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
