/**
 * A Python that has loaded the engine's libraries, for the whole test run (test/support/warm-python.py). It starts when the first test file
 * asks for it (`warmPython()` in test/support/warm-python.ts), so a run without such a file never waits for it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import type { TestProject } from 'vitest/node';
import { tools } from '../../src/config/installation.ts';

export default async function setup(project: TestProject): Promise<() => void> {
  let python: { readonly child: ChildProcess; readonly ready: Promise<unknown> } | undefined;
  // A short path: a socket's may have a hundred characters.
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-warm-'));
  const socket = join(folder, 'socket');
  const door = createServer((_, response) => {
    python ??= start(socket);
    python.ready.then(
      () => response.end(socket),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  // A TCP server's address is always an AddressInfo (it is a string for pipes only).
  project.provide('warmPythonDoor', `http://127.0.0.1:${(door.address() as AddressInfo).port}`);
  return () => {
    door.close();
    // Also without this it would end, as its stdin is this process's.
    python?.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
}

const program = fileURLToPath(new URL('../support/warm-python.py', import.meta.url));

function start(socket: string): { child: ChildProcess; ready: Promise<unknown> } {
  const child = spawn(tools().python, [program, 'serve', socket], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`The Python of the tests ended with ${String(code)} before it was ready.`)),
  );
  return { child, ready: Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]) };
}

declare module 'vitest' {
  interface ProvidedContext {
    warmPythonDoor: string;
  }
}
