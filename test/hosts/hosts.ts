/**
 * Hosts on this machine: each is a set of Linux namespaces with a network, processes, a name and a disk of its own, and all hang on a switch,
 * which is one more. They have no way to any other network, and the machine's own is not touched.
 *
 * Nothing of it has a name outside, so there is nothing to clean up: the first process of a host ends when this process does, however it
 * ends, and with it the kernel ends all processes of the host and removes its network.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const unshare = ['--net', '--pid', '--mount', '--uts', '--fork', '--kill-child', '--mount-proc'];

/** Why this machine cannot make hosts; null when it can. */
export function cannotMakeHosts(): string | null {
  if (process.platform !== 'linux') return 'hosts are namespaces of Linux, and this is another system';
  if (process.getuid?.() !== 0) return 'only root may make namespaces with networks';
  const link = 'ip link add name a type veth peer name b && ip link add name c type bridge';
  const tried = spawnSync('unshare', [...unshare, 'sh', '-ec', link], { encoding: 'utf8' });
  if (tried.status === 0) return null;
  return `namespaces, iproute2 or its links do not work here (${(tried.error?.message ?? tried.stderr).trim()})`;
}

export type Host = {
  readonly name: string;
  readonly address: string;
  /** The host's disk, as this process sees it. The host itself has it at `diskPath`, and sees no other one. */
  readonly disk: string;
  /** Starts a program there. It is a child of nsenter, which waits for it. */
  readonly spawn: (
    command: readonly string[],
    environment?: Readonly<Record<string, string>>,
  ) => Promise<Program>;
  /** What a program there prints. @throws Error with its errors */
  readonly run: (
    command: readonly string[],
    environment?: Readonly<Record<string, string>>,
  ) => Promise<string>;
  /** The cable at the switch: pulled out, packets of both directions vanish, and no connection is told. */
  readonly plug: (isIn: boolean) => Promise<void>;
};

export type Program = {
  readonly child: ChildProcess;
  /** Of the program itself, as this process sees it. */
  readonly pid: number;
  readonly ended: Promise<unknown>;
  readonly kill: (signal: 'SIGKILL' | 'SIGTERM') => Promise<void>;
};

export type Network = AsyncDisposable & {
  /** @param slow the milliseconds that each packet takes between the host and the switch, each way */
  readonly host: (name: string, slow?: number) => Promise<Host>;
};

/** Where every host has its own disk. */
export const diskPath = '/mnt';

const wire = fileURLToPath(new URL('./wire.py', import.meta.url));

/** A switch, without hosts yet. */
export async function openNetwork(): Promise<Network> {
  sweep();
  const scratch = mkdtempSync(`${scratchPrefix}${process.pid}-`);
  const firsts: ChildProcess[] = [];

  /** The first process of a host, which only reads until this process is gone; its pid as this process sees it. */
  async function first(script: string, ...args: string[]): Promise<number> {
    // Children whose parent is gone become its own, and are not waited for.
    const whole = `set -e; ip link set lo up; ${script}; trap '' CHLD; echo ready; exec cat`;
    const child = spawn('unshare', [...unshare, 'bash', '-c', whole, 'host', ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    firsts.push(child);
    const lines = createInterface({ input: child.stdout });
    await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(() => Promise.reject(new Error(`No host could be made: ${script}`))),
    ]);
    return childOf(child.pid!);
  }

  const hub = await first('ip link add name br0 type bridge && ip link set br0 up');
  const onSwitch = (...command: string[]) => run('nsenter', ['-t', String(hub), '-n', ...command]);
  let hosts = 0;

  return {
    async host(name, slow = 0) {
      hosts += 1;
      const address = `10.79.0.${hosts}`;
      const disk = join(scratch, name);
      mkdirSync(disk);
      // What lies in shared memory is the host's own too, and the other hosts' disks are out of sight.
      const own = 'hostname "$1"; mount --bind "$2" "$3"; mount -t tmpfs tmpfs /dev/shm';
      const pid = await first(own, name, disk, diskPath);
      const entered = ['-t', String(pid), '-n', '-p', '-m', '-u'];
      await onSwitch(
        'ip',
        'link',
        'add',
        'name',
        name,
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        String(pid),
      );
      const address24 = ['ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0'];
      await run('nsenter', [...entered, ...address24]);
      await run('nsenter', [...entered, 'ip', 'link', 'set', 'dev', 'eth0', 'up']);
      // A program that copies packets would see sums that are not worked out yet, and packets larger than the link takes.
      await run('nsenter', [...entered, 'python3', wire, 'plain', 'eth0']);
      let port = name;
      if (slow > 0) {
        port = `${name}-slow`;
        await onSwitch('ip', 'link', 'add', 'name', port, 'type', 'veth', 'peer', 'name', `${name}-far`);
        for (const each of [port, `${name}-far`]) await onSwitch('ip', 'link', 'set', 'dev', each, 'up');
        const args = [
          '-t',
          String(hub),
          '-n',
          '-p',
          '-m',
          'python3',
          wire,
          String(slow),
          name,
          `${name}-far`,
        ];
        spawn('nsenter', args, { stdio: ['ignore', 'ignore', 'inherit'] });
      }
      await onSwitch('ip', 'link', 'set', 'dev', port, 'master', 'br0');
      await onSwitch('ip', 'link', 'set', 'dev', port, 'up');
      await onSwitch('ip', 'link', 'set', 'dev', name, 'up');
      return {
        name,
        address,
        disk,
        async spawn(command, environment = {}) {
          const child = spawn('nsenter', [...entered, ...command], {
            env: { ...process.env, ...environment },
            stdio: ['ignore', 'pipe', 'pipe'],
          });
          const ended = once(child, 'exit');
          const program = await childOf(child.pid!);
          return {
            child,
            pid: program,
            ended,
            kill: async (signal) => {
              if (child.exitCode !== null || child.signalCode !== null) return;
              process.kill(program, signal);
              await ended;
            },
          };
        },
        run: async (command, environment = {}) =>
          (
            await run('nsenter', [...entered, ...command], {
              env: { ...process.env, ...environment },
              maxBuffer: 256e6,
            })
          ).stdout,
        plug: async (isIn) => void (await onSwitch('ip', 'link', 'set', 'dev', name, isIn ? 'up' : 'down')),
      };
    },
    async [Symbol.asyncDispose]() {
      const ends = firsts.map(async (each) => {
        if (each.exitCode !== null) return;
        const ended = once(each, 'exit');
        each.stdin?.end();
        await ended;
      });
      await Promise.all(ends);
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

const scratchPrefix = '/dev/shm/colloquy-hosts-';

/** Removes the disks of runs that were killed. */
function sweep(): void {
  for (const name of readdirSync('/dev/shm')) {
    const owner = /^colloquy-hosts-(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`))
      rmSync(join('/dev/shm', name), { recursive: true, force: true });
  }
}

/** The child of a process that has one, when it has it. */
async function childOf(pid: number): Promise<number> {
  for (;;) {
    const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
    if (child > 0) return child;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
