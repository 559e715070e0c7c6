import { existsSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BundleOptions, bundleWorkflowCode, DefaultLogger, Runtime } from '@temporalio/worker';
import { projectRoot } from '../config/installation.ts';
import { readPrebuiltBundle } from './prebuilt-bundle.ts';

/** The workflow's code in one text, and the files that it was made from. */
export type BundledWorkflows = {
  readonly code: string;
  /** Below `root`; with the files of npm packages, and with this one, which says how to bundle. */
  readonly sources: readonly string[];
};

/**
 * What the workflow's code may hold beside its own files: the SDK with what it brings, and what src/algorithm computes with.
 * A list of what is allowed, as a list of what is not would miss the next one.
 */
const allowedPackages = [
  '@temporalio/workflow',
  '@temporalio/common',
  'nexus-rpc',
  'long',
  'ms',
  'pure-rand',
  '@noble/hashes',
];
/** Names by which the SDK's bundler knows converters; there are none. */
const ofTheBundler = /^__temporal_/;

/** What is bundled beside the workflows: modules of interceptors, and the packages that they bring. */
export type Interceptors = { readonly modules: readonly string[]; readonly packages: readonly string[] };

/**
 * Bundles src/workflows below `root`, with interceptors where some are given.
 *
 * @throws ForbiddenImport for a Node module or another package than the allowed ones, with who imports it
 */
export async function bundleWorkflows(
  root: string = projectRoot,
  interceptors: Interceptors = { modules: [], packages: [] },
): Promise<BundledWorkflows> {
  const allowed = new Set([...allowedPackages, ...interceptors.packages]);
  const forbidden: ForbiddenModule[] = [];
  const sources = new Set([fileURLToPath(import.meta.url)]);
  const noteForbidden: External = async ({ request = '', contextInfo }) => {
    if (isForbidden(request, allowed))
      forbidden.push({ module: request, importer: relative(root, contextInfo?.issuer ?? '') });
    return undefined;
  };
  const look: Hook = (config) => ({
    ...config,
    externals: [config.externals ?? [], noteForbidden].flat(),
    plugins: [
      ...(config.plugins ?? []),
      (compiler) =>
        compiler.hooks.afterCompile.tap('sources', ({ modules }) => {
          for (const module of modules) {
            const path = module.nameForCondition();
            // The bundler's own entry is a file in memory.
            if (path !== null && existsSync(path)) sources.add(path);
          }
        }),
    ],
  });
  const options = {
    workflowsPath: join(root, 'src', 'workflows', 'index.ts'),
    workflowInterceptorModules: [...interceptors.modules],
    // The bundler's own words about a forbidden module name no importer.
    logger: new DefaultLogger('ERROR', () => undefined),
    webpackConfigHook: look,
  };
  try {
    const { code } = await bundleWorkflowCode(options);
    if (forbidden.length === 0)
      return { code, sources: [...sources].map((path) => relative(root, path)).toSorted() };
  } catch (error) {
    if (forbidden.length === 0) throw error;
  }
  throw new ForbiddenImport(forbidden);
}

type Hook = NonNullable<BundleOptions['webpackConfigHook']>;
/** Webpack asks it about every import before it looks for the file. */
type External = (asked: {
  readonly request?: string;
  readonly contextInfo?: { readonly issuer?: string };
}) => Promise<undefined>;

function isForbidden(request: string, allowed: ReadonlySet<string>): boolean {
  if (isBuiltin(request)) return true;
  if (request.startsWith('.') || request.startsWith('/') || ofTheBundler.test(request)) return false;
  const [scope = '', name = ''] = request.split('/');
  return !allowed.has(request.startsWith('@') ? `${scope}/${name}` : scope);
}

/**
 * The code of today's workflows: what `npm run build` has made where it fits the sources, otherwise bundled now (some 2 s). Which
 * of them it was is told in the worker's log.
 *
 * @throws ForbiddenImport when the sources import what no bundle may hold
 */
export async function workflowBundle(): Promise<{ readonly code: string }> {
  const { logger } = Runtime.instance();
  const prebuilt = await readPrebuiltBundle();
  if ('code' in prebuilt) {
    logger.info('Running the workflow bundle in dist/');
    return prebuilt;
  }
  logger.info(
    `Bundling the workflows from their sources; the bundle in dist/ is not used: ${prebuilt.unfit}`,
  );
  const { code } = await bundleWorkflows();
  return { code };
}

/** Something that the workflow's code imports has no place in its bundle. */
export class ForbiddenImport extends Error {
  override name = 'ForbiddenImport' as const;
  readonly imports: readonly ForbiddenModule[];

  constructor(imports: readonly ForbiddenModule[]) {
    const lines = imports.map(({ module, importer }) => `  ${module}, imported by ${importer}`);
    super(
      `The workflow bundle would hold what is not deterministic or too big for each workflow's memory:\n${lines.join('\n')}\n` +
        'Use `import type` where only the type is needed; anything else belongs in an activity.',
    );
    this.imports = imports;
  }
}

export type ForbiddenModule = {
  /** As the import names it, e.g. `zod` or `node:fs`. */
  readonly module: string;
  /** The file that imports it, below the project's folder. */
  readonly importer: string;
};
