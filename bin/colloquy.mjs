#!/usr/bin/env node
/** Starts the command line: TypeScript as it is, in this process, so that signals and exit codes need no passing on. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

try {
  // A package manager may have put it beside Colloquy's folder, or into it.
  createRequire(import.meta.url).resolve('tsx/esm/api');
} catch {
  // In a fresh clone there is nothing yet that could run TypeScript, or parse a command line.
  const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
  console.error(
    `Colloquy is not set up yet: its packages are not in ${root}/node_modules.\n` +
      `Run this once:  cd '${root.replaceAll("'", String.raw`'\''`)}' && node scripts/setup.mjs\n` +
      'It installs the packages, a Python environment and a Temporal CLI. Or run "npm run quickstart", which does it first.',
  );
  process.exit(1);
}
const { register } = await import('tsx/esm/api');
// The current folder may have a tsconfig.json for something else.
register({ tsconfig: fileURLToPath(new URL('../tsconfig.json', import.meta.url)) });
await import(new URL('../src/cli/main.ts', import.meta.url).href);
