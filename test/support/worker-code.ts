import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { projectRoot } from '../../src/config/installation.ts';
import { browserScript } from '../../src/report/debate-browser/write.ts';
import { writeAtomically } from '../../src/store/files/atomic.ts';

const made = new Map<string, Promise<string>>();

/**
 * The path of worker-main.ts below `root`, with all of src that it imports, as a few files of JavaScript; packages are loaded
 * from node_modules as ever. Loading some four hundred modules through tsx takes seconds, each time that a test kills a worker and starts
 * another one.
 */
export function workerScript(root: string = projectRoot): Promise<string> {
  const script = made.get(root) ?? bundleWorker(root);
  made.set(root, script);
  return script;
}

async function bundleWorker(root: string): Promise<string> {
  // Below node_modules, so that packages are found from there. All test files that have the same code write the same files.
  const cache = join(root, 'node_modules', '.cache', 'colloquy-tests');
  const page = await browserScript();
  const pageFile = join(cache, `page-${createHash('sha256').update(page).digest('hex').slice(0, 16)}.js`);
  if (!existsSync(pageFile)) await writeAtomically(pageFile, [Buffer.from(page)]);
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [{ in: join('test', 'support', 'worker-main.ts'), out: 'worker' }],
    outdir: '.',
    outExtension: { '.js': '.mjs' },
    write: false,
    bundle: true,
    // What the worker imports only when it needs it stays in files of its own.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    alias: { vega: charts, 'vega-lite': charts, esbuild: './test/support/page-script.ts' },
    define: { pageFile: JSON.stringify(pageFile) },
    plugins: [ownUrls],
    logLevel: 'error',
  });
  const hash = createHash('sha256');
  for (const { path, contents } of outputFiles) hash.update(relative(root, path)).update(contents);
  const folder = join(cache, hash.digest('hex').slice(0, 16));
  for (const { path, contents } of outputFiles) {
    const file = join(folder, relative(root, path));
    if (!existsSync(file)) await writeAtomically(file, [contents]);
  }
  return join(folder, 'worker.mjs');
}

/** Below the code's own root, as a copy of the sources has it too. */
const charts = './test/support/charts.ts';

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
