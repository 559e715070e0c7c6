import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { isAlive } from '../../src/store/files/atomic.ts';
import { spawnWithParent } from '../../src/workers/dev-server-process.ts';

describe('a program spawned with its parent', () => {
  it('gives its exit code and what it prints', async () => {
    const { process: guardian, exited } = spawnWithParent(process.execPath, [
      '-e',
      'console.log("hello"); process.exit(7)',
    ]);
    expect(await firstLine(guardian.stdout!)).toBe('hello');
    expect(await exited).toBe(7);
  });

  it('reports a command that does not exist', async () => {
    expect(await spawnWithParent('/no/such/program', []).exited).toBe(127);
  });

  it('leaves on stop, and stop may be called again', async () => {
    const guarded = spawnWithParent(process.execPath, ['-e', sleeper]);
    const pid = Number(await firstLine(guarded.process.stdout!));
    await guarded.stop();
    await guarded.stop();
    await untilGone(pid);
  });

  it('is killed after its grace when it does not want to leave', async () => {
    const guarded = spawnWithParent(process.execPath, ['-e', `process.on('SIGTERM', () => {}); ${sleeper}`], {
      graceMs: 50,
    });
    const pid = Number(await firstLine(guarded.process.stdout!));
    await guarded.stop();
    await untilGone(pid);
  });

  it('leaves nothing behind when its guardian is killed', async () => {
    const guarded = spawnWithParent(process.execPath, ['-e', sleeper]);
    const pid = Number(await firstLine(guarded.process.stdout!));
    guarded.process.kill('SIGKILL');
    await guarded.exited;
    await untilGone(pid);
  });

  it('does not outlive a parent that is killed with SIGKILL', async () => {
    const module = fileURLToPath(new URL('../../src/workers/dev-server-process.ts', import.meta.url));
    const script = `
      import { spawnWithParent } from ${JSON.stringify(module)};
      const { process: guardian } = spawnWithParent(process.execPath, ['-e', ${JSON.stringify(sleeper)}]);
      guardian.stdout.pipe(process.stdout);`;
    const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = Number(await firstLine(parent.stdout));
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await untilGone(pid);
  });
});

const sleeper = 'console.log(process.pid); setInterval(() => {}, 1000)';

async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  const [line] = (await once(createInterface({ input: stream }), 'line')) as [string];
  return line;
}

/** A process that has been killed is there until the system has buried it. */
async function untilGone(pid: number): Promise<void> {
  await vi.waitUntil(() => !isAlive(pid), { timeout: 15_000 });
}
