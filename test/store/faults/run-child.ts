import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { projectRoot } from '../../../src/config/installation.ts';

/** A process that runs one of the scripts in this folder. `before` goes before the command, e.g. a wrapper that limits it. */
export function runChild(
  script: string,
  args: readonly string[],
  before: readonly string[] = [],
): ChildProcessWithoutNullStreams {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const [command = '', ...rest] = [...before, process.execPath, '--import', 'tsx', path, ...args];
  return spawn(command, rest, { cwd: projectRoot });
}

/** Waits until the process ends and returns its output. Throws its stderr when it failed. */
export async function outputOf(child: ChildProcessWithoutNullStreams): Promise<string> {
  const chunks = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (chunks.out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (chunks.err += data.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`exited with ${code}: ${chunks.err}`);
  return chunks.out;
}

/** The words before a command that run it in a mount namespace of its own; null where this user may not have one. */
export function ownMounts(): readonly string[] | null {
  const ways = [
    ['unshare', '-m'],
    ['unshare', '-rm'],
  ];
  const works = ([command = '', ...args]: string[]) =>
    spawnSync(command, [...args, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
  return ways.find(works) ?? null;
}
