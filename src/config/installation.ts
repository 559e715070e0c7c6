/**
 * Where is what belongs to this installation: the project's files, its version, and the programs that npm does not install (Python and
 * the Temporal CLI)? `scripts/setup.mjs` finds or builds the programs and writes their paths into a file (scripts/setup/tools-file.mjs).
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isPackage, toolsFileOf } from '../../scripts/setup/tools-file.mjs';
import { ColloquyError, exitCodes } from '../errors.ts';

/** The folder with package.json, `configs/` and `engine/`: absolute, without a slash at its end. */
export const projectRoot: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');

/** Whether this is a clone (or another copy) of the project, and no package that npm installed. */
export const isClone: boolean = !isPackage(projectRoot);

/**
 * The folder that has `runs/` and the worker's own files in `configs/`: the current one for a package, whose own folder belongs to npm; in a
 * clone its root.
 */
export function ownFolder(): string {
  return isClone ? projectRoot : process.cwd();
}

/** What the user types to call the command line. npm tells its programs that it has called them. */
export const colloquy: string =
  isClone || process.env['npm_command'] !== undefined ? 'npx colloquy' : 'colloquy';

/** What the user types to set up what is missing. A clone may lack the packages with which `colloquy` runs. */
export const setUpCommand: string = isClone ? 'node scripts/setup.mjs' : `${colloquy} setup`;

/** The text of one of the project's own files. @param path relative to the project's root */
export function productFile(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8');
}

/** The version in a package.json. */
export function packageVersion(path: string): string {
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { readonly version?: unknown };
  if (typeof version !== 'string') throw new TypeError(`${path} has no version.`);
  return version;
}

/** Colloquy's own version, from its package.json. */
export function colloquyVersion(): string {
  return packageVersion(join(projectRoot, 'package.json'));
}

let code: string | undefined;

/** A short hash of the code in `src`, as it was when it was first asked for. Workers of one experiment should have the same code. */
export function codeHash(): string {
  if (code !== undefined) return code;
  const hash = createHash('sha256');
  const source = join(projectRoot, 'src');
  const paths = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.[a-z]+$/.test(path),
  );
  for (const path of paths.toSorted()) hash.update(`${path}\n`).update(readFileSync(join(source, path)));
  return (code = hash.digest('hex').slice(0, 12));
}

export interface Tools {
  /** Absolute path of the Python that has the engine's packages. */
  readonly python: string;
  /** Absolute path of the Temporal CLI, for its dev server. */
  readonly temporal: string;
}

/**
 * The tools of this project, as the last set-up left them. Each is looked for when it is asked for: a worker needs no Temporal CLI, and a
 * dev server no Python.
 *
 * @param file the file to read; only tests pass it
 * @throws ToolsMissing when the set-up has not run; and, when a tool is asked for, that it is not named there or is gone
 */
export function tools(file: string = toolsFileOf(projectRoot)): Tools {
  // Checked by hand: every command line loads this file, and zod takes longer to load than all else that `--help` needs.
  const named = readJson(file);
  if (typeof named !== 'object' || named === null) throw new ToolsMissing(`${file} does not name the tools`);
  const pathOf = (name: keyof Tools): string => {
    const path: unknown = (named as Partial<Record<keyof Tools, unknown>>)[name];
    if (typeof path !== 'string' || path === '')
      throw new ToolsMissing(`${file} does not name ${toolNames[name]}`);
    if (!existsSync(path))
      throw new ToolsMissing(`${toolNames[name]} is not at ${path}, the path in ${file}`);
    return path;
  };
  return {
    get python() {
      return pathOf('python');
    },
    get temporal() {
      return pathOf('temporal');
    },
  };
}

const toolNames = { python: 'the Python of the engine', temporal: 'the Temporal CLI' } as const;

/** Python or the Temporal CLI is not where the set-up put it, or the set-up never ran. */
export class ToolsMissing extends ColloquyError {
  override name = 'ToolsMissing' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  /** What is missing, as a sentence without its full stop. */
  readonly missing: string;

  constructor(missing: string) {
    super(`${missing}. Run: ${setUpCommand}`);
    this.missing = missing;
  }
}

function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!missing) throw error;
    throw new ToolsMissing(`The set-up has not run (there is no ${file})`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new ToolsMissing(`${file} is not JSON`);
  }
}

/**
 * By name, without regard to case: proxies are written both ways. The hub's token is among them: with it a program downloads the model
 * that it has to load.
 */
const needed = new Set(
  `PATH HOME USER LOGNAME SHELL TERM TZ LANG LANGUAGE TMPDIR TMP TEMP NO_COLOR
  XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR XDG_STATE_HOME
  LD_LIBRARY_PATH LD_PRELOAD DYLD_LIBRARY_PATH MALLOC_ARENA_MAX MALLOC_CONF GOMAXPROCS GOMEMLIMIT
  PYTHONPATH PYTHONHOME PYTHONUNBUFFERED PYTHONHASHSEED PYTHONFAULTHANDLER PYTHONWARNINGS VIRTUAL_ENV CONDA_PREFIX
  HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
  HF_HOME HF_ENDPOINT HF_TOKEN HF_TOKEN_PATH HUGGING_FACE_HUB_TOKEN TOKENIZERS_PARALLELISM`.split(/\s+/),
);

/** Settings of libraries, of which there are too many to list. */
const families =
  /^(?:LC|CUDA|CUBLAS|CUDNN|NVIDIA|NCCL|GLOO|HIP|HSA|ROCR|MIOPEN|TORCH|TORCHINDUCTOR|PYTORCH|TRITON|OMP|GOMP|KMP|MKL|OPENBLAS|HF_HUB|HF_DATASETS|TRANSFORMERS|VLLM)_/;

/** A name that may hold a secret: it is not passed on as the setting of a library. */
const mayBeSecret =
  /KEY|TOKEN|SECRET|PASS|PWD|AUTH|CREDENTIAL|COOKIE|SESSION|HEADERS|(?:^|_)PAT(?:_|$)|URL|URI/i;

/** Whether programs that a worker starts get this variable. */
function reachesPrograms(variable: string): boolean {
  return needed.has(variable.toUpperCase()) || (families.test(variable) && !mayBeSecret.test(variable));
}

/** The part of an environment that programs get. */
export function childEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => reachesPrograms(name)));
}
