/**
 * `npx colloquy setup --qlora` (in a clone also `npm run setup:qlora`) installs what `fine_tune.method: qlora` needs into the engine's Python environment. The set-up does not,
 * because only this method needs it.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { run } from './setup/programs.mjs';
import { findPython, findUv } from './setup/python-installers.mjs';
import { SetupProblem, showProblems } from './setup/set-up.mjs';
import { isPackage, readToolsFile } from './setup/tools-file.mjs';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const packages = fileURLToPath(new URL('../engine/qlora.lock', import.meta.url));

try {
  const { python } = readToolsFile(root);
  if (python === undefined)
    throw new SetupProblem(
      'The engine has no Python environment yet.',
      isPackage(root) ? 'Run: colloquy setup' : 'Run: npm run setup',
    );
  const uv = await findUv((await findPython()).path);
  // `--no-deps`, because its dependencies are in the environment already, in the versions that were tested.
  await run(uv, ['pip', 'install', '--python', python, '--no-deps', '-r', packages], {
    timeoutSeconds: 600,
    what: 'uv pip install bitsandbytes',
  });
  execFileSync(python, ['-c', 'import bitsandbytes'], { stdio: 'inherit' });
  console.log('fine_tune.method: qlora can be used.');
} catch (error) {
  showProblems(error);
}
