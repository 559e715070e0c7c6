/** How is a config file read and merged? No other module of src/config reads the files of users. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { configFaults, InvalidConfig, shown } from './faults.ts';
import { ownFolder } from './installation.ts';
import { experimentNameSchema, studyNameSchema } from './names.ts';
import { withOwnNames } from './other-names.ts';

/**
 * A config file (YAML or JSON) with `key=value` overrides on top of it. It is not checked: `resolveConfig` finds what is wrong with the
 * keys and values. Paths of task files are relative to the file, and in overrides to the working directory (`resolveTaskPaths`).
 *
 * @param overrides e.g. `task.train_size=100`; values are YAML, and later ones win
 * @returns the experiment's name (`name` in the file, else the file's own) and the input of its workflow
 * @throws InvalidConfig
 */
export function loadConfigFile(
  path: string,
  overrides: readonly string[],
  kind: 'experiment' | 'study' = 'experiment',
): { name: string; input: Record<string, unknown> } {
  // The overrides are merged first, so that `task.train_file=x task.kind=jsonl` means the same in either order.
  const over = resolveTaskPaths(process.cwd(), settingsOf(overrides));
  const own = resolveTaskPaths(dirname(path), withOwnNames(readYaml(path)));
  const input = { ...(kind === 'study' ? mergeStudy : mergeConfig)(own, over) };
  const given = input['name'] ?? basename(path, extname(path));
  // YAML reads `name=123` as a number.
  const name = typeof given === 'number' ? String(given) : given;
  const parsed = (kind === 'study' ? studyNameSchema : experimentNameSchema).safeParse(name);
  if (!parsed.success) {
    const rule = parsed.error.issues[0]?.message ?? '';
    const message = `${shown(name)} cannot name ${kind === 'study' ? 'a study' : 'an experiment'}: ${rule}. Give another with name=…`;
    throw new InvalidConfig([{ path: 'name', message }], path);
  }
  return { name: parsed.data, input: 'name' in input ? { ...input, name: parsed.data } : input };
}

/** The settings that `key=value ...` name, not checked. @throws InvalidConfig */
export function settingsOf(overrides: readonly string[]): ConfigInput {
  return overrides.map((each) => withOwnNames(parseOverride(each))).reduce(mergeConfig, {});
}

/** The config that one `key=value` of the command line is. @throws InvalidConfig */
export function parseOverride(override: string): ConfigInput {
  const equals = override.indexOf('=');
  const keys = override.slice(0, Math.max(equals, 0)).split('.');
  if (keys.includes('')) {
    const message = 'expected key=value, e.g. iterations=5 or task.train_size=100';
    throw new InvalidConfig([{ path: '', message }], `The override ${shown(override)}`);
  }
  const value = parseYaml(override.slice(equals + 1), `The override ${shown(override)}`);
  const [last = '', ...above] = keys.toReversed();
  return above.reduce(
    (below: ConfigInput, key) => Object.fromEntries([[key, below]]),
    Object.fromEntries([[last, value]]),
  );
}

/**
 * The object in a YAML or JSON file.
 *
 * @throws InvalidConfig when the file is missing, unreadable or empty, is not YAML (with line and column), or holds no object
 */
export function readYaml(path: string): ConfigInput {
  const content = parseYaml(readText(path), path);
  if (content === null || content === undefined) {
    throw fault(path, 'the file is empty: expected settings such as "iterations: 3"');
  }
  if (!isConfigInput(content))
    throw fault(path, `expected settings such as "iterations: 3", found ${shown(content)}`);
  return content;
}

/** The message for a name that no entry of one of the worker's own files has. */
export function notDefinedHere(
  kind: 'endpoint' | 'trainer' | 'scorer',
  name: string,
  known: readonly string[],
): string {
  return (
    `no ${kind} is called ${JSON.stringify(name)} where this worker runs; it knows ${known.join(', ') || 'none'}. ` +
    `Add it to configs/${kind}s.yaml (or the file that COLLOQUY_${kind.toUpperCase()}S names) and start the worker again`
  );
}

/**
 * A part of the worker's own configuration: the file that the environment variable `variable` names, else `configs/FILE`, which need
 * not be there.
 *
 * @param showValues whether errors may show values of the file. They must not where a key could stand in the wrong place.
 * @throws InvalidConfig with every fault
 */
export function loadWorkerFile<Schema extends z.ZodType>(
  schema: Schema,
  workerFile: WorkerFile,
  environment: Readonly<Record<string, string | undefined>>,
): z.infer<Schema> {
  const { variable, showValues } = workerFile;
  const named = environment[variable];
  const path = workerFilePath(workerFile, environment);
  // An empty file, or one with comments alone, describes nothing; the defaults are then in force.
  const content = named || pathExists(path) ? (parseYaml(readText(path), path) ?? {}) : {};
  if (!isConfigInput(content))
    throw fault(path, `expected names with their settings, found ${shown(content)}`);
  const parsed = schema.safeParse(content);
  if (!parsed.success)
    throw new InvalidConfig(configFaults(schema, content, parsed.error, { showValues }), path);
  return parsed.data;
}

/** Where such a part is, whether it is there or not. */
export function workerFilePath(
  { variable, file }: WorkerFile,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const named = environment[variable];
  return named ? resolve(named) : join(ownFolder(), 'configs', file);
}

export type WorkerFile = { readonly variable: string; readonly file: string; readonly showValues: boolean };

/**
 * The value of a YAML text.
 *
 * @param source where the text comes from, for the error
 * @throws InvalidConfig with line and column when it is not YAML
 */
export function parseYaml(text: string, source: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, stringKeys: true });
  if (document.errors.length > 0) {
    const faults = document.errors.map(({ message, pos: [offset] }) => {
      const { line, col } = lineCounter.linePos(offset);
      return { path: '', message: `line ${line}, column ${col}: ${message}` };
    });
    throw new InvalidConfig(faults, source);
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    if (!containsItself(value)) return value;
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    // The parser's words for an alias within the value that it names.
    if (!/anchor was not resolved/.test(words)) throw fault(source, words);
  }
  throw fault(
    source,
    'a value contains itself: an alias (*name) stands within the value that its anchor (&name) names',
  );
}

/** @param above the values that it is in */
function containsItself(value: unknown, above: readonly unknown[] = []): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return (
    above.includes(value) || Object.values(value).some((each) => containsItself(each, [...above, value]))
  );
}

const largestConfig = 1_000_000;

/** The text of a config. @throws InvalidConfig when it cannot be read, is too large, or is not text */
export function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw fault(path, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  // Temporal takes at most 2 MB for all that starts a workflow.
  if (bytes.length > largestConfig)
    throw fault(
      path,
      `is ${(bytes.length / 1e6).toFixed(1)} MB: a config may have at most ${largestConfig / 1e6} MB. Put questions into a file of their own (task: {kind: jsonl, train_file: …})`,
    );
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fault(path, 'is not text in UTF-8');
  }
}

function fault(source: string, message: string): InvalidConfig {
  return new InvalidConfig([{ path: '', message }], source);
}

/** A config as the user gives it: an object of JSON or YAML that is not checked yet. */
export type ConfigInput = Readonly<Record<string, unknown>>;

/**
 * `under` with the values of `over`: objects are merged key by key, everything else (also an array) is replaced. Two objects of different
 * `kind` have different keys, so there `over` replaces the whole object.
 */
export function mergeConfig(under: ConfigInput, over: ConfigInput): ConfigInput {
  // With a Map and fromEntries a key called __proto__ stays a key, which the schema refuses like any unknown key.
  const merged = new Map(Object.entries(under));
  for (const [key, value] of Object.entries(over)) {
    const before = merged.get(key);
    const mergeable = isConfigInput(before) && isConfigInput(value) && !differInKind(before, value);
    merged.set(key, mergeable ? mergeConfig(before, value) : value);
  }
  return Object.fromEntries(merged);
}

/** A study's settings over those of its preset or its file: where they name methods, only the variants that they name too are left. */
export function mergeStudy(under: ConfigInput, over: ConfigInput): ConfigInput {
  const { variants: _, ...rest } = under;
  return mergeConfig('methods' in over && !('variants' in over) ? rest : under, over);
}

/** Whether a value is a plain object: no array, no null, no instance of a class. */
export function isConfigInput(value: unknown): value is ConfigInput {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function differInKind(before: ConfigInput, after: ConfigInput): boolean {
  return 'kind' in before && 'kind' in after && before['kind'] !== after['kind'];
}

/**
 * A config in which relative paths of task files are absolute when the file is found from `folder`. Other paths stay as they are and
 * are looked for from the worker's folder, which may be on another machine.
 */
export function resolveTaskPaths(folder: string, config: ConfigInput): ConfigInput {
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, pathsIn(folder, key, value)]));
}

const pathKeys = new Set([
  'train_file',
  'test_file',
  'validation_file',
  'dataset_path',
  'train_dataset_path',
  'decontaminate',
]);

function pathsIn(folder: string, key: string, value: unknown): unknown {
  if (isConfigInput(value)) return resolveTaskPaths(folder, value);
  if (Array.isArray(value)) return value.map((each) => pathsIn(folder, key, each));
  if (typeof value !== 'string' || !pathKeys.has(key) || isAbsolute(value)) return value;
  const path = resolve(folder, value);
  return pathExists(path) ? path : value;
}

/** The path of the file itself where a symbolic link names it: what replaces it leaves the link in place. */
export function fileItself(path: string): string {
  return pathExists(path) ? realpathSync(path) : path;
}

/**
 * Whether there is a file or a folder at a path; false for a path that cannot be one.
 *
 * @throws the system's error when it does not show whether there is one, e.g. for lack of rights
 */
export function pathExists(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOTDIR' || code === 'ENAMETOOLONG' || code === 'ELOOP' || code === 'ERR_INVALID_ARG_VALUE')
      return false;
    throw error;
  }
}

/** The YAML files of a folder with their texts, sorted by name. */
export function yamlFilesIn(folder: string): { readonly path: string; readonly text: string }[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .toSorted()
    .map((name) => join(folder, name))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
}

/** The endpoint or trainer of this name. Throws when the worker's configuration has none. */
export function called<Entry>(
  name: string,
  entries: Readonly<Record<string, Entry>>,
  what: 'endpoint' | 'trainer',
): Entry {
  const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
  if (entry === undefined) throw new Error(notDefinedHere(what, name, Object.keys(entries)));
  return entry;
}
