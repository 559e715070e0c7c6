import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { projectRoot } from '../../src/config/installation.ts';
import { writeAtomically } from '../../src/store/files/atomic.ts';

const made = new Map<string, Promise<string>>();

/**
 * The path of worker-main.ts below `root`, with all of src that it imports, as one file of JavaScript; packages are loaded from
 * node_modules as ever. Loading some four hundred modules through tsx takes seconds, each time that a test kills a worker and starts
 * another one.
 */
export function workerScript(root: string = projectRoot): Promise<string> {
  const script = made.get(root) ?? bundleWorker(root);
  made.set(root, script);
  return script;
}

async function bundleWorker(root: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join('test', 'support', 'worker-main.ts')],
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    plugins: [ownUrls],
    logLevel: 'error',
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  // Below node_modules, so that packages are found from there. All test files that have the same code write the same file.
  const name = createHash('sha256').update(code).digest('hex').slice(0, 16);
  const path = join(root, 'node_modules', '.cache', 'colloquy-tests', `worker-${name}.mjs`);
  if (!existsSync(path)) await writeAtomically(path, [code]);
  return path;
}

/** Modules find files beside them by their own address, which is that of the source here too. */
const ownUrls: Plugin = {
  name: 'own urls',
  setup: (bundle) =>
    bundle.onLoad({ filter: /[/\\](src|test)[/\\].*\.tsx?$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll(
        'import.meta.url',
        JSON.stringify(pathToFileURL(path).href),
      ),
      loader: path.endsWith('x') ? 'tsx' : 'ts',
    })),
};
