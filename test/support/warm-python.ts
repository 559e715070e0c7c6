import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { tools } from '../../src/config/installation.ts';

const program = fileURLToPath(new URL('./warm-python.py', import.meta.url));

/**
 * A command that does what Python does with a program of the engine, in a process that need not load the libraries first. For tests that are
 * about what a program does; that Colloquy starts Python itself is tested in engines/endpoint.test.ts and workflows/embedded-model.test.ts.
 */
export async function warmPython(): Promise<readonly [string, ...string[]]> {
  const response = await fetch(inject('warmPythonDoor'));
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return [tools().python, '-I', '-S', program, text];
}
