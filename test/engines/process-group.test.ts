import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ProcessNotStarted, startProcessGroup } from '../../src/engines/process/process-group.ts';
import { readLines } from '../../src/engines/process/log-file.ts';
import { groupAlive, groupGone } from './fixtures/processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-process-'));
const logFile = join(folder, 'log');
const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

async function start(script: string): ReturnType<typeof startProcessGroup> {
  return startProcessGroup(process.execPath, ['-e', script], { logFile });
}

describe('a process group', () => {
  it('reports how its leader ended, after all that it wrote', async () => {
    const group = await start('process.stdout.write("a\\nb"); console.error("why"); process.exitCode = 4');
    const lines: string[] = [];
    readLines(group.stdout, (line) => lines.push(line));
    expect(await group.exited).toEqual({ code: 4, signal: null });
    expect(lines).toEqual(['a', 'b']);
    expect(readFileSync(logFile, 'utf8')).toContain('why');
  });

  it('takes along what its leader had started, when the leader is killed', async () => {
    const group = await startProcessGroup(process.execPath, [fixture('engine.mjs'), '{"child":true}'], {
      logFile,
    });
    await new Promise<void>((resolve) => group.stdout.once('data', () => resolve()));
    process.kill(group.pid, 'SIGKILL');
    expect(await group.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await groupGone(group.pid);
  });

  it('is killed when it does not leave within its grace', async () => {
    const group = await start(
      'process.on("SIGTERM", () => {}); console.log("on"); setInterval(() => {}, 1000)',
    );
    await new Promise<void>((resolve) => group.stdout.once('data', () => resolve()));
    expect(await group.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });
    expect(groupAlive(group.pid)).toBe(false);
    expect(await group.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('with a guardian ends as its program does, and has all that it wrote in its log', async () => {
    const options = { logFile: join(folder, 'guarded'), guarded: { graceMs: 100 } };
    const script = 'console.log("out"); console.error("err"); process.kill(process.pid, "SIGKILL")';
    const group = await startProcessGroup(process.execPath, ['-e', script], options);
    expect(await group.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(group.log.lines()).toEqual(expect.arrayContaining(['out', 'err']));
  });

  it('of a program that is not there says what to do', async () => {
    const error = await startProcessGroup('/no/python', [], { logFile }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ProcessNotStarted);
    expect(String(error)).toMatch(/\/no\/python.*ENOENT.*setup\.mjs/);
  });

  it('does not outlive the kill -9 of the process that started it', async () => {
    const args = [
      '--import',
      'tsx',
      fixture('parent.ts'),
      folder,
      fixture('engine.mjs'),
      fixture('trainer.mjs'),
    ];
    const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const pids = await new Promise<number[]>((resolve) => {
      readLines(parent.stdout, (line) => resolve(JSON.parse(line) as number[]));
    });
    expect(pids.map(groupAlive)).toEqual([true, true, true]);
    parent.kill('SIGKILL');
    await Promise.all(pids.map(groupGone));
  }, 60_000);
});

it('lines come whole whatever pieces they arrive in, and endless ones in pieces', async () => {
  const group = await start('process.stdout.write(Buffer.from("é\\nü".repeat(40)).subarray(0, 199))');
  const lines: string[] = [];
  readLines(group.stdout, (line) => lines.push(line), 50);
  await group.exited;
  expect(lines[0]).toBe('é');
  expect(lines[1]).toBe('üé');
  const endless = await start('process.stdout.write("x".repeat(1000))');
  const pieces: string[] = [];
  readLines(endless.stdout, (line) => pieces.push(line), 50);
  await endless.exited;
  expect(pieces.join('')).toBe('x'.repeat(1000));
});
