/**
 * The programs that Colloquy runs and that npm does not install: its Python and the Temporal CLI. `scripts/setup.mjs`
 * finds or builds them and writes their paths to `.tools.json` in the project's root.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ColloquyError, exitCodes } from '../errors.ts';

export interface Tools {
  /** Absolute path of the Python that has the engine's packages. */
  readonly python: string;
  /** Absolute path of the Temporal CLI, for its dev server. */
  readonly temporal: string;
}

/**
 * The tools of this project, as the last set-up left them.
 *
 * @param file the file to read; only tests give one
 * @throws ToolsMissing when the set-up has not run, or when something it made is gone
 */
export function tools(file: string = toolsFile): Tools {
  const parsed = toolsSchema.safeParse(readJson(file));
  if (!parsed.success)
    throw new ToolsMissing(`${file} does not name the tools (${firstIssue(parsed.error)})`);
  for (const [name, path] of Object.entries(parsed.data)) {
    if (!existsSync(path)) throw new ToolsMissing(`${name} is not at ${path}, where ${file} says it is`);
  }
  return parsed.data;
}

/** Python or the Temporal CLI is not where the set-up put it, or the set-up never ran. */
export class ToolsMissing extends ColloquyError {
  override name = 'ToolsMissing' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
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
  } catch {
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

/** The folder that holds package.json, `configs/` and `engine/`: absolute, without a slash at its end. */
export const projectRoot: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');

/** The version in a package.json. */
export function packageVersion(path: string): string {
  return packageSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).version;
}

const packageSchema = z.object({ version: z.string() });

/** Colloquy's own version, as package.json has it. */
export function colloquyVersion(): string {
  return packageVersion(join(projectRoot, 'package.json'));
}
