/** Which vLLM is there, and can it be used? */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { pathExists } from '../../config/load.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { startBareGroup } from '../process/process-group.ts';

export type InstalledVllm = {
  /** The program's path. */
  readonly command: string;
  /** As vLLM names it: `0.32.0`, `0.32.0+cpu`. */
  readonly version: string;
};

/**
 * Finds vLLM: the endpoint's `command`, else `vllm` on PATH, else where `uv tool install vllm` puts it.
 *
 * @param command a path (a relative one is resolved against the current folder), or a name on PATH
 * @param timeoutMs how long the program may take to say its version
 * @throws VllmMissing, VllmUnusable
 */
export async function findVllm(
  command?: string,
  environment: NodeJS.ProcessEnv = process.env,
  timeoutMs = 180_000,
): Promise<InstalledVllm> {
  if (command?.startsWith('~'))
    throw new VllmUnusable(
      command,
      `~ is not understood here: write the whole path, e.g. ${join(homedir(), command.replace(/^~[^/]*/, ''))}`,
    );
  const places = command === undefined ? usualPlaces(environment) : placesOf(command, environment);
  const found = places.find(isFile);
  const folder = places.find(pathExists);
  if (found === undefined && command !== undefined && folder !== undefined)
    throw new VllmUnusable(folder, 'it is a folder, and no program');
  if (found === undefined) throw new VllmMissing(command, places);
  const version = await versionOf(found, timeoutMs);
  const fault = versionFault(version);
  if (fault !== null) throw new VllmUnusable(found, fault);
  return { command: found, version };
}

function isFile(path: string): boolean {
  return pathExists(path) && !statSync(path).isDirectory();
}

function placesOf(name: string, { PATH = '' }: NodeJS.ProcessEnv): string[] {
  if (name.includes('/')) return [resolve(name)];
  return PATH.split(delimiter).flatMap((folder) => (folder === '' ? [] : [join(folder, name)]));
}

function usualPlaces(environment: NodeJS.ProcessEnv): string[] {
  const { XDG_DATA_HOME, XDG_BIN_HOME, UV_TOOL_BIN_DIR, UV_TOOL_DIR } = environment;
  const home = homedir();
  const tools = UV_TOOL_DIR ?? join(XDG_DATA_HOME ?? join(home, '.local', 'share'), 'uv', 'tools');
  return [
    ...placesOf('vllm', environment),
    join(UV_TOOL_BIN_DIR ?? XDG_BIN_HOME ?? join(home, '.local', 'bin'), 'vllm'),
    join(tools, 'vllm', 'bin', 'vllm'),
  ];
}

/**
 * The version that the package says. `vllm --version` would load PyTorch to say the same, which takes up to two minutes on a busy machine.
 *
 * @throws VllmUnusable
 */
async function versionOf(command: string, timeoutMs: number): Promise<string> {
  const python = pythonOf(command);
  const { output, errors, ending } = await printed(
    python === undefined ? [command, '--version'] : [python, '-c', askVersion, 'vllm'],
    timeoutMs,
  );
  if (ending !== null) {
    const words = lastLine(errors) || lastLine(output);
    throw new VllmUnusable(
      command,
      `it does not say its version (${ending}${words === '' ? '' : `: ${words}`})`,
    );
  }
  // Libraries may print lines of their own, before it and after it.
  const version = output
    .split('\n')
    .map((line) => versionAlone.exec(line.trim())?.[1])
    .findLast((found) => found !== undefined);
  if (version !== undefined) return version;
  const words = lastLine(output);
  throw new VllmUnusable(
    command,
    `that is no vLLM: it printed ${words === '' ? 'nothing' : JSON.stringify(words)} for its version`,
  );
}

const versionAlone = /^(?:vllm\s+)?(\d+\.\d+[\w.+!-]*)$/i;

function lastLine(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').slice(0, 200);
}

/** What a program prints, and how it ended: null when it ended well. After `timeoutMs` it is killed, with all that it has started. */
async function printed([program, ...args]: readonly [string, ...string[]], timeoutMs: number) {
  const group = await startBareGroup(program, args, { guarded: { graceMs: 0 } });
  let output = '';
  let errors = '';
  group.stdout
    .setEncoding('utf8')
    .on('data', (text: string) => (output = (output + text).slice(-mostPrinted)));
  group.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (errors = (errors + text).slice(-mostPrinted)));
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void group.stop(0);
  }, timeoutMs);
  const { code, signal } = await group.exited;
  clearTimeout(timer);
  if (late) return { output, errors, ending: `it timed out after ${timeoutMs / 1_000} s` };
  const ending = code === 0 ? null : code === null ? `it was ended by ${signal}` : `exit code ${code}`;
  return { output, errors, ending };
}

const mostPrinted = 100_000;

const askVersion = 'import importlib.metadata as m, sys; print(m.version(sys.argv[1]))';

/** The Python that an installer wrote into the first lines of the program; undefined for a program of another form. */
function pythonOf(command: string): string | undefined {
  const beginning = readFileSync(command).subarray(0, 1_000).toString('latin1');
  if (!beginning.startsWith('#!')) return undefined;
  const path = /\/[^\s'"]*\/python[\d.]*/.exec(beginning.split('\n').slice(0, 3).join('\n'))?.[0];
  return path !== undefined && pathExists(path) ? path : undefined;
}

/** The first version that has `--lora-target-modules`, without which scores of adapters kill the engine. */
const oldest = [0, 17] as const;
/** The version that the tests run. */
export const testedVllm = '0.32.0';

/** Why a version cannot be used; null when it can. */
export function versionFault(version: string): string | null {
  const numbers = /^(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number);
  if (numbers === undefined) return `its version ${JSON.stringify(version.slice(0, 100))} is not understood`;
  const [major = 0, minor = 0] = numbers;
  // A build from a commit has no number of its own.
  if (/^0\.[01]\.dev/.test(version)) return null;
  if (major > oldest[0] || minor >= oldest[1]) return null;
  return (
    `it is version ${version}, and the oldest that can be used is ${oldest.join('.')}.0: before it, ` +
    'requests for the likelihood of tokens (prompt_logprobs) kill the engine or leave out adapters'
  );
}

/** vLLM is not where it was looked for. */
export class VllmMissing extends ColloquyError {
  override name = 'VllmMissing' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;

  constructor(command: string | undefined, places: readonly string[]) {
    super(
      (command === undefined
        ? `vLLM is not on PATH and not among the tools of uv (${places.slice(-2).join(', ')})`
        : `There is no vLLM at ${command}, the endpoint's command`) +
        '. Install it where the worker runs (uv tool install vllm), or name the program with `command` in configs/endpoints.yaml.',
    );
  }
}

/** vLLM is there, and cannot be used as it is. */
export class VllmUnusable extends ColloquyError {
  override name = 'VllmUnusable' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;

  constructor(command: string, fault: string) {
    super(
      `${command} cannot be used as vLLM: ${fault}. Install another version (${testedVllm} is tested), or name another program with \`command\` in configs/endpoints.yaml.`,
    );
  }
}
