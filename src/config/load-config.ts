import { basename, dirname, extname } from 'node:path';
import { shown } from './config-faults.ts';
import { experimentNameSchema, studyNameSchema } from './experiment-name.ts';
import { InvalidConfig } from './invalid-config.ts';
import { type ConfigInput, mergeConfig } from './merge-config.ts';
import { pathsBeside } from './paths-beside.ts';
import { parseYaml, readYaml } from './read-yaml.ts';

/**
 * A config file (YAML or JSON) with `key=value` overrides laid over it, not yet resolved: `resolveConfig` says what is wrong
 * with the keys and values. Paths of task files are relative to the file, and in overrides to the working directory (paths-beside.ts).
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
  // The overrides among themselves first: `task.train_file=x task.kind=jsonl` means the same in either order.
  const over = pathsBeside(process.cwd(), overrides.map(parseOverride).reduce(mergeConfig, {}));
  const input = { ...mergeConfig(pathsBeside(dirname(path), readYaml(path)), over) };
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

function parseOverride(override: string): ConfigInput {
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
