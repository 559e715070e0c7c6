import { createRequire, isBuiltin } from 'node:module';
import { join, relative } from 'node:path';
import { type BundleOptions, bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { projectRoot } from '../config/installation.ts';
import { isConfigInput, pathExists } from '../config/load.ts';
import { ColloquyError, exitCodes } from '../errors.ts';

/** The workflows' code in one text, and the files that it was made from. */
export type BundledWorkflows = {
  readonly code: string;
  /** Paths relative to `root`, those in npm packages included. */
  readonly sources: readonly string[];
};

/**
 * The packages that the workflows' code may import: the SDK with what it brings, and what src/algorithm computes with. It is
 * a list of what is allowed, because a list of what is forbidden would miss the next package.
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

/** What is bundled in addition to the workflows: modules of interceptors, and the packages that they bring. */
export type Interceptors = { readonly modules: readonly string[]; readonly packages: readonly string[] };

/**
 * Bundles src/workflows below `root`, with interceptors if some are given. It takes 1.5 to 2 s.
 *
 * @throws ForbiddenImport for a Node module or a package that is not allowed; it names the file that imports it
 * @throws PathCannotBeBundled
 */
export async function bundleWorkflows(
  root: string = projectRoot,
  interceptors: Interceptors = { modules: [], packages: [] },
): Promise<BundledWorkflows> {
  if (/[?!]/.test(root)) throw new PathCannotBeBundled(root);
  const allowed = new Set([...allowedPackages, ...interceptors.packages]);
  const forbidden: ForbiddenModule[] = [];
  const sources = new Set<string>();
  const noteForbidden: External = async ({ request = '', contextInfo }) => {
    if (isForbidden(request, allowed))
      forbidden.push({ module: request, importer: relative(root, unescaped(contextInfo?.issuer ?? '')) });
    return undefined;
  };
  const look: Hook = (config) => ({
    ...config,
    module: { ...config.module, rules: (config.module?.rules ?? []).map(alsoInPackage) },
    externals: [config.externals ?? [], noteForbidden].flat(),
    plugins: [
      ...(config.plugins ?? []),
      (compiler) =>
        compiler.hooks.afterCompile.tap('sources', ({ modules }) => {
          for (const module of modules) {
            const name = module.nameForCondition();
            const path = name === null ? null : unescaped(name);
            // The bundler's own entry is a file in memory.
            if (path !== null && pathExists(path)) sources.add(path);
          }
        }),
    ],
  });
  const options = {
    workflowsPath: join(root, 'src', 'workflows', 'index.ts'),
    workflowInterceptorModules: [...interceptors.modules],
    // The bundler's own message about a forbidden module does not name the importer.
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

/**
 * Bundles the workflows together with OpenTelemetry's interceptors, for a worker that sends traces.
 *
 * @throws ForbiddenImport as `bundleWorkflows` does
 */
export async function tracedBundle(): Promise<{ readonly code: string }> {
  const { resolve } = createRequire(import.meta.url);
  const modules = [resolve('@temporalio/interceptors-opentelemetry/lib/workflow-interceptors')];
  const { code } = await bundleWorkflows(projectRoot, { modules, packages: tracingPackages });
  return { code };
}

/** The packages that OpenTelemetry's interceptors import. */
const tracingPackages = ['api', 'core', 'resources', 'sdk-trace-base', 'semantic-conventions'].map(
  (name) => `@opentelemetry/${name}`,
);

type Hook = NonNullable<BundleOptions['webpackConfigHook']>;
type Rule = NonNullable<NonNullable<ReturnType<Hook>['module']>['rules']>[number];
/** Webpack asks it about every import before it looks for the file. */
type External = (asked: {
  readonly request?: string;
  readonly contextInfo?: { readonly issuer?: string };
}) => Promise<undefined>;

/**
 * The SDK leaves out whatever lies in node_modules when it takes the types out of TypeScript, and there a package of Colloquy lies as a whole.
 * What the workflows' code imports from other packages is JavaScript.
 */
function alsoInPackage(rule: Rule): Rule {
  if (!isConfigInput(rule) || !('test' in rule) || String(rule.test) !== String(/\.ts$/)) return rule;
  const { exclude: _, ...rest } = rule;
  return rest;
}

/** Webpack writes `\0#` for a `#` in a path. */
function unescaped(path: string): string {
  return path.replaceAll('\0', '');
}

function isForbidden(request: string, allowed: ReadonlySet<string>): boolean {
  if (isBuiltin(request)) return true;
  if (request.startsWith('.') || request.startsWith('/') || ofTheBundler.test(request)) return false;
  const [scope = '', name = ''] = request.split('/');
  return !allowed.has(request.startsWith('@') ? `${scope}/${name}` : scope);
}

/** The workflows' code imports something that its bundle must not hold. */
export class ForbiddenImport extends ColloquyError {
  override name = 'ForbiddenImport' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
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

/** The bundler takes `?` and `!` in a path for signs of its own, so it cannot read the workflows there. */
export class PathCannotBeBundled extends ColloquyError {
  override name = 'PathCannotBeBundled' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly path: string;

  constructor(path: string) {
    super(
      `Colloquy is in the folder ${path}. A worker cannot be started from there, because the bundler of its workflows cannot read ` +
        'paths with "?" or "!". Move or rename the folder. (The folder of the store may have any name.)',
    );
    this.path = path;
  }
}

export type ForbiddenModule = {
  /** As the import names it, e.g. `zod` or `node:fs`. */
  readonly module: string;
  /** The file that imports it, below the project's folder. */
  readonly importer: string;
};
