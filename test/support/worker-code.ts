import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { projectRoot } from '../../src/config/installation.ts';
import { bundleWorkflows } from '../../src/workers/bundle.ts';

/*
 * What a worker process of a test runs, each as one file of JavaScript: loading some four hundred modules through tsx would take several
 * seconds, and so would bundling the workflows, each time that a test kills a worker and starts another one.
 */

/** worker-main.ts with all of src that it imports; packages are loaded from node_modules as ever. */
export const workerScript = once(async (root: string) => {
  const outfile = join(await cacheFolder(root), `worker-${randomUUID()}.mjs`);
  await build({
    absWorkingDir: root,
    entryPoints: [join('test', 'support', 'worker-main.ts')],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    plugins: [ownUrls],
    logLevel: 'error',
  });
  return outfile;
});

/** The workflows of today. In a test, `sharedWorkflowCode` is the same file for all. */
export const workflowCode = once(async (root: string) => {
  const codePath = join(await cacheFolder(root), `workflows-${randomUUID()}.js`);
  await writeFile(codePath, (await bundleWorkflows(root)).code);
  return codePath;
});

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

/** Below node_modules, so that packages are found from there. */
async function cacheFolder(root: string): Promise<string> {
  const folder = join(root, 'node_modules', '.cache', 'colloquy-tests');
  await mkdir(folder, { recursive: true });
  return folder;
}

function once(make: (root: string) => Promise<string>): (root?: string) => Promise<string> {
  const made = new Map<string, Promise<string>>();
  return (root = projectRoot) => {
    const path = made.get(root) ?? make(root);
    made.set(root, path);
    return path;
  };
}
