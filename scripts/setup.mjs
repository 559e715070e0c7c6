/**
 * `node scripts/setup.mjs` makes this clone ready to run: npm packages, the engine's Python environment, a Temporal CLI. For a package that
 * npm installed, it makes the last two. `node scripts/setup.mjs python` makes one of them alone: what a worker of a server elsewhere needs.
 *
 * It needs only Node (it installs the rest), may be run at any time, and does nothing when nothing changed. What is big is kept
 * once per user in `~/.cache/colloquy` (or `$XDG_CACHE_HOME/colloquy`). It writes the paths into a file (`tools-file.mjs`).
 */
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { nodePackages } from './setup/node-packages.mjs';
import { atLeast, endAll } from './setup/programs.mjs';
import { pythonPackages } from './setup/python-packages.mjs';
import { seconds, SetupProblem, setUp, showProblems } from './setup/set-up.mjs';
import { temporalCli } from './setup/temporal-cli.mjs';
import { isPackage, readToolsFile, writeToolsFile } from './setup/tools-file.mjs';

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
  const all = [...(isPackage(root) ? [] : [nodePackages(root)]), pythonPackages(root), temporalCli(root)];
  const asked = process.argv.slice(2);
  const unknown = asked.find((key) => !all.some((step) => step.key === key));
  if (unknown !== undefined)
    throw new SetupProblem(
      `The set-up has no part "${unknown}".`,
      `Its parts: ${all.map(({ key }) => key).join(', ')}.`,
    );
  console.log(`Colloquy: set-up (Node ${process.versions.node})`);
  const steps = asked.length === 0 ? all : all.filter(({ key }) => asked.includes(key));
  const { python, temporal } = await setUp(steps, console.log);
  const before = readToolsFile(root);
  const tools = {
    python: python?.result ?? before.python,
    temporal: temporal?.result ?? before.temporal,
    madeFor: {
      python: python?.madeFor ?? before.madeFor?.python,
      temporal: temporal?.madeFor ?? before.madeFor?.temporal,
    },
  };
  if (JSON.stringify(tools) !== JSON.stringify(before)) writeToolsFile(root, tools);
  console.log(`Colloquy: ready in ${seconds(start)}`);
} catch (error) {
  showProblems(error);
}
// A look-up of a host name without an answer would keep the process alive for many seconds.
process.exit();
