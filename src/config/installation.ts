/**
 * Where is what belongs to this installation: the project's files, its version, and the programs that npm does not install (Python and
 * the Temporal CLI)? `scripts/setup.mjs` finds or builds the programs and writes their paths to `.tools.json` in the project's root.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ColloquyError, exitCodes } from '../errors.ts';

/** The folder with package.json, `configs/` and `engine/`: absolute, without a slash at its end. */
export const projectRoot: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');

/** The text of one of the project's own files. @param path relative to the project's root */
export function productFile(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8');
}

/** The version in a package.json. */
export function packageVersion(path: string): string {
  return packageSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).version;
}

const packageSchema = z.object({ version: z.string() });

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
 * The tools of this project, as the last set-up left them.
 *
 * @param file the file to read; only tests pass it
 * @throws ToolsMissing when the set-up has not run, or when something that it made is gone
 */
export function tools(file: string = toolsFile): Tools {
  const parsed = toolsSchema.safeParse(readJson(file));
  if (!parsed.success)
    throw new ToolsMissing(`${file} does not name the tools (${firstIssue(parsed.error)})`);
  for (const [name, path] of Object.entries(parsed.data)) {
    if (!existsSync(path)) throw new ToolsMissing(`${name} is not at ${path}, the path in ${file}`);
  }
  return parsed.data;
}

/** Python or the Temporal CLI is not where the set-up put it, or the set-up never ran. */
export class ToolsMissing extends ColloquyError {
  override name = 'ToolsMissing' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  /** What is missing, as a sentence without its full stop. */
  readonly missing: string;

  constructor(missing: string) {
    super(`${missing}. Run: node scripts/setup.mjs`);
    this.missing = missing;
  }
}

const toolsFile = fileURLToPath(new URL('../../.tools.json', import.meta.url));

const toolsSchema = z.object({ python: z.string().min(1), temporal: z.string().min(1) });

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

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? 'unreadable' : `${issue.path.join('.')}: ${issue.message}`;
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
