/** A real Ray on this machine's CPU: a cluster of one node, its head. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../../src/config/installation.ts';
import { createRayCluster } from '../../src/engines/trainer/ray-cluster.ts';
import { until } from '../support/until.ts';

/** The Python of Ray that the environment names, else of the one that setup-ray.mjs has installed. */
export const python =
  process.env['COLLOQUY_TEST_RAY'] ??
  execFileSync(process.execPath, [fileURLToPath(new URL('../../scripts/setup-ray.mjs', import.meta.url))], {
    encoding: 'utf8',
  })
    .trim()
    .split('\n')
    .at(-1) ??
  '';

/** The cluster's token, in the variable that the trainers of these tests name. */
export const tokenVariable = 'COLLOQUY_TEST_RAY_TOKEN';
process.env[tokenVariable] = 'the-token-of-a-cluster-of-tests';

export interface RealRay {
  readonly url: string;
  /** The newest process of the cluster whose command line has these words. */
  process(words: string): number | undefined;
  /** The process that has started the newest process with these words. */
  parentOf(words: string): number | undefined;
  /** SIGKILL to all processes of the head at once, as when its machine loses its power. Resolves when they are gone. */
  kill(): Promise<void>;
  /** Starts another head at the same address. It knows nothing of the one before. */
  startAgain(): Promise<void>;
  stop(): Promise<void>;
}

/** Resolves when the head takes jobs. */
export async function startRay({ cpus }: { readonly cpus: number }): Promise<RealRay> {
  // Short, as sockets have their paths in it.
  const folder = mkdtempSync('/tmp/cr-');
  const [port, dashboard, agent, client] = await freePorts(4);
  const url = `http://127.0.0.1:${dashboard}`;
  let head: ChildProcess | undefined;

  async function start(): Promise<void> {
    const options: Readonly<Record<string, string | number | undefined>> = {
      'node-ip-address': '127.0.0.2',
      port,
      'dashboard-host': '127.0.0.1',
      'dashboard-port': dashboard,
      'dashboard-agent-listen-port': agent,
      'ray-client-server-port': client,
      'num-cpus': cpus,
      'object-store-memory': 100_000_000,
      'temp-dir': folder,
    };
    const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    const args = ['start', '--head', '--block', '--disable-usage-stats', ...flags];
    head = spawn(join(dirname(python), 'ray'), args, {
      stdio: 'ignore',
      env: {
        ...childEnvironment(),
        RAY_AUTH_MODE: 'token',
        RAY_AUTH_TOKEN: process.env[tokenVariable],
        // A lost head is noticed in seconds here, instead of a minute.
        RAY_gcs_rpc_server_reconnect_timeout_s: '10',
      },
    });
    const cluster = createRayCluster({ url, api_key_env: tokenVariable });
    const answers = async (): Promise<boolean> =>
      (await cluster.nodes(AbortSignal.timeout(10_000)).catch(() => [])).length > 0;
    await until('Ray has a node', answers, 300_000);
    cluster.close();
  }

  const all = (): readonly Process[] => treeOf(head?.pid, folder);
  const kill = async (): Promise<void> => {
    for (const { pid } of all()) end(pid, 'SIGKILL');
    await until('all of Ray has ended', () => all().length === 0, 60_000);
  };
  const newest = (words: string) => all().findLast(({ command }) => command.includes(words));
  await start();
  return {
    url,
    process: (words) => newest(words)?.pid,
    parentOf: (words) => newest(words)?.parent,
    kill,
    startAgain: start,
    async stop() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

type Process = {
  readonly pid: number;
  readonly parent: number;
  /** In ticks of the kernel. Ids of processes begin at 1 again when they have become too large. */
  readonly begun: number;
  readonly command: string;
};

/** The processes below one, and those that name a cluster's folder, the newest one last. */
function treeOf(root: number | undefined, folder: string): Process[] {
  const processes = readdirSync('/proc').flatMap((name): Process[] => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const [state, parent, begun] = [fields[0], Number(fields[1]), Number(fields[19])];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return state === 'Z' ? [] : [{ pid: Number(name), parent, begun, command }];
    } catch {
      return [];
    }
  });
  const found = new Set(
    processes
      .filter(({ pid, command }) => pid === root || command.includes(`${folder}/`))
      .map(({ pid }) => pid),
  );
  for (let size = -1; size !== found.size;) {
    size = found.size;
    for (const { pid, parent } of processes) if (found.has(parent)) found.add(pid);
  }
  found.delete(process.pid);
  return processes.filter(({ pid }) => found.has(pid)).toSorted((a, b) => a.begun - b.begun);
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
