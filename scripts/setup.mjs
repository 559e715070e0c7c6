/**
 * `node scripts/setup.mjs` makes this clone ready to run: npm packages, the engine's Python environment, a Temporal CLI.
 *
 * It needs only Node (it installs the rest), may be run at any time, and does nothing when nothing changed. What is big is kept
 * once per user in `~/.cache/colloquy` (or `$XDG_CACHE_HOME/colloquy`). It writes `.tools.json`.
 */
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { nodePackages } from './setup/node-packages.mjs';
import { atLeast, endAll } from './setup/programs.mjs';
import { pythonPackages } from './setup/python-packages.mjs';
import { seconds, SetupProblem, setUp, showProblems } from './setup/set-up.mjs';
import { temporalCli } from './setup/temporal-cli.mjs';
import { readToolsFile, writeToolsFile } from './setup/tools-file.mjs';

const minimumNode = '20.19';
const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const start = performance.now();

for (const [signal, code] of /** @type {const} */ ([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])) {
  process.on(signal, () => {
    endAll();
    console.error('\nSet-up interrupted. Run it again: what is done stays done.');
    process.exit(code);
  });
}

try {
  if (!atLeast(process.versions.node, minimumNode)) {
    throw new SetupProblem(
      `Node ${minimumNode} or newer is needed; this is ${process.versions.node}.`,
      'Install it from https://nodejs.org, or with your version manager (nvm install 22).',
    );
  }
  console.log(`Colloquy: set-up (Node ${process.versions.node})`);
  const done = await setUp([nodePackages(root), pythonPackages(root), temporalCli(root)], console.log);
  const { python, temporal } = done;
  if (python === undefined || temporal === undefined) throw new Error('a step gave no result');
  const tools = {
    python: python.result,
    temporal: temporal.result,
    madeFor: { python: python.madeFor ?? '', temporal: temporal.madeFor ?? '' },
  };
  if (JSON.stringify(tools) !== JSON.stringify(readToolsFile(root))) writeToolsFile(root, tools);
  console.log(`Colloquy: ready in ${seconds(start)}`);
} catch (error) {
  showProblems(error);
}
// A look-up of a host name without an answer would keep the process alive for many seconds.
process.exit();
