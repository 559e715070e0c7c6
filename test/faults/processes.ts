import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Found = { readonly pid: number; readonly command: string; readonly ancestors: readonly number[] };

/** Every process with COLLOQUY_TEST_WORLD=`world` in its environment: a world's workers and all that they started. */
export async function processesOf(world: string): Promise<Found[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await read(pid, 'environ');
      if (!environment.split('\0').includes(`COLLOQUY_TEST_WORLD=${world}`)) return undefined;
      const command = (await read(pid, 'cmdline')).replaceAll('\0', ' ').trim();
      return { pid: Number(pid), command, ancestors: await ancestorsOf(pid) };
    }),
  );
  // A zombie has no command: it is dead, even when its parent has not asked for its status yet.
  return found.filter((each) => each !== undefined && each.command !== '') as Found[];
}

async function ancestorsOf(pid: string): Promise<number[]> {
  const parent = /^\d+ \(.*\) \S (\d+)/s.exec(await read(pid, 'stat'))?.[1];
  return parent === undefined || Number(parent) <= 1 ? [] : [Number(parent), ...(await ancestorsOf(parent))];
}

function read(pid: string, file: string): Promise<string> {
  return readFile(join('/proc', pid, file), 'utf8').catch(() => '');
}
