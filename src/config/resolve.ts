/** Which settings does an experiment have in the end, and in which do two experiments differ? */
import { join, parse } from 'node:path';
import { closest } from 'fastest-levenshtein';
import { type MethodName, methods } from '../algorithm/methods.ts';
import { compares } from '../algorithm/objectives.ts';
import { agentsOf, baseModelsOf, isEmbedded, sharedModelFaults } from './agents.ts';
import { agentCount, embeddedModel, type ExperimentConfig, experimentConfigSchema } from './experiment.ts';
import { validationFaults } from './limits.ts';
import { type ConfigFault, configFaults, InvalidConfig, shown, hiddenKeyFaults } from './faults.ts';
import { mostVotes, voteFaults } from './fine-tune.ts';
import { colloquyVersion, projectRoot } from './installation.ts';
import { type ConfigInput, isConfigInput, mergeConfig, readYaml, yamlFilesIn } from './load.ts';
import { experimentNameSchema } from './names.ts';
import { marginOfGold, objectiveFaults, oneRowOfKto } from './training-plan.ts';
import { withOwnNames } from './other-names.ts';

/**
 * The complete config of an input. The input's keys replace those of its `preset` (default: `quickstart`), which may name another
 * preset; the rest are the paper's settings. `name` and `format` are checked and left out, because they are no settings.
 *
 * @param input a plain object; null and undefined mean `{}`
 * @throws InvalidConfig with every fault
 */
export function resolveConfig(input: unknown): ExperimentConfig {
  const given = input ?? {};
  if (!isConfigInput(given)) {
    const what = Array.isArray(given) ? 'a list' : `a ${typeof given}`;
    throw new InvalidConfig(
      [
        {
          path: '',
          message: `${what} was given (${shown(given)}); expected one object, e.g. {"preset": "quickstart"}`,
        },
      ],
      'The input',
    );
  }
  const { name, format, ...rest } = given;
  requireOwnFormat(format);
  const { settings: merged, faults } = overPresets(withOwnNames(rest), []);
  const settings = Object.fromEntries(
    Object.entries(merged).filter(([key, value]) => value !== null || !switchable.has(key)),
  );
  const parsed = experimentConfigSchema.safeParse(settings);
  const all = [
    ...nameFaults(name),
    ...faults,
    ...(parsed.success ? [] : configFaults(experimentConfigSchema, settings, parsed.error)),
  ];
  if (parsed.success) all.push(...methodFaults(rest, parsed.data.method), ...hiddenKeyFaults(settings));
  if (all.length > 0 || !parsed.success) throw new InvalidConfig(all);
  const config = { ...parsed.data, ...methods[parsed.data.method].fixes };
  const unusable = [
    ...sharedModelFaults(config),
    // A method that fixes its labels, such as star, may share a study's settings with methods that vote.
    ...voteFaults({ ...config, label_source: parsed.data.label_source }, agentCount(config)),
    ...objectiveFaults(config),
    ...distillFaults(config),
    ...validationFaults(config),
  ];
  if (unusable.length > 0) throw new InvalidConfig(unusable);
  return config;
}

/** Settings without which an experiment does without something (`guard`, `distill`): null switches off what a preset or a study has. */
export const switchable: ReadonlySet<string> = new Set(
  Object.entries(experimentConfigSchema.shape).flatMap(([key, schema]) => {
    const absent = schema.safeParse(undefined);
    return absent.success && absent.data === undefined && !schema.safeParse(null).success ? [key] : [];
  }),
);

/**
 * The embedded model reads only the language of `prompts: terse`. So the preset `paper`, and each that is laid over it with prompts in
 * English, needs a model to be named.
 *
 * @throws InvalidConfig
 */
export function requireOwnModel(config: ExperimentConfig): void {
  if (config.prompts === 'terse') return;
  const embedded = baseModelsOf(config).find(({ model }) => isEmbedded(model));
  if (embedded === undefined) return;
  const { model, path } = embedded;
  const given = path === 'model' && model.model_name_or_path === embeddedModel ? 'missing: ' : '';
  const message =
    `${given}prompts in English need a model that reads English, and the embedded ${embeddedModel} does not. Name one, e.g. ` +
    'model.model_name_or_path=Qwen/Qwen3-4B-Instruct-2507, or take the preset quickstart (prompts: terse)';
  throw new InvalidConfig([{ path: `${path}.model_name_or_path`, message }]);
}

/** A setting that the method fixes may be omitted or repeated. It overrides the preset. */
function methodFaults(own: ConfigInput, method: MethodName): ConfigFault[] {
  return Object.entries(methods[method].fixes)
    .filter(([path, fixed]) => own[path] !== undefined && own[path] !== fixed)
    .map(([path, fixed]) => ({
      path,
      message: `${shown(own[path])} was given, but the method ${method} fixes ${path}: ${String(fixed)}; omit the setting or repeat that value`,
    }));
}

/** Why no model can be distilled from the group of a config. Empty when one can, or none is asked for. */
function distillFaults(config: ExperimentConfig): ConfigFault[] {
  const { distill, method, iterations, rounds, fine_tune: tune } = config;
  if (distill === undefined) return [];
  const { learning, title } = methods[method];
  const agents = agentCount(config);
  const asked = `${JSON.stringify(distill)} was given, but`;
  const fault = (path: string, message: string): ConfigFault[] => [{ path, message }];
  if (learning === undefined || learning.conversation !== 'debate' || methods[method].fixes.rounds === 1)
    return fault(
      'distill',
      `${asked} the method ${method} (${title}) has no debates of training questions to learn from. Take a method that debates and learns, such as multiagent-ft, or omit distill`,
    );
  if (iterations === 0)
    return fault(
      'distill',
      `${asked} with iterations: 0 no training question is debated, and so there is nothing to learn from. Set iterations: 1 or more, or omit distill`,
    );
  if (rounds === 1 || agents === 1)
    return fault(
      'distill',
      `${asked} with ${rounds === 1 ? 'rounds: 1' : 'agents: 1'} there is no debate to learn from. Set at least 2, or omit distill`,
    );
  if (!compares(distill.objective)) return [];
  // Samples make pairs of one agent's answers, and of questions on which the debate agreed.
  const sampled = config.samples !== undefined;
  if (!sampled && config.pairs === 'own' && distill.from === 'best')
    return fault(
      'distill.objective',
      `${JSON.stringify(distill.objective)} was given, which compares two answers to a question, but with from: best and pairs: own there is one. Set pairs: group, from: debate, or objective: imitation`,
    );
  const all = mostVotes(config, agents);
  const unanimous = config.label_votes === 'both' && config.min_votes === all;
  if (!sampled && unanimous && config.label_source === 'consensus')
    return fault(
      'min_votes',
      `with ${all} votes of ${all} no answer differs from the label, and so the distilled model would have no pairs. Set at most ${all - 1}, or distill.objective: imitation`,
    );
  if (config.label_weight === 'margin' && config.label_source === 'gold')
    return fault('label_weight', marginOfGold);
  if (
    distill.objective === 'kto' &&
    tune.per_device_train_batch_size * tune.gradient_accumulation_steps === 1
  )
    return fault('fine_tune.per_device_train_batch_size', oneRowOfKto);
  return [];
}

type Settings = { readonly settings: ConfigInput; readonly faults: readonly ConfigFault[] };

/** The settings of a config together with those of its presets. The last preset is always `paper`: the schema's own defaults. */
function overPresets({ preset = 'quickstart', ...own }: ConfigInput, chain: readonly string[]): Settings {
  if (preset === 'paper') return { settings: own, faults: [] };
  const known = presets();
  const found = known.find(({ name }) => name === preset);
  if (found === undefined || chain.includes(found.name)) {
    const names = known.map(({ name }) => name);
    const message = found === undefined ? unknownPreset(preset, names) : inCircle([...chain, found.name]);
    // The rest is still checked, with the default preset, so that all faults are reported at once.
    const { settings } = preset === 'quickstart' ? { settings: own } : overPresets(own, chain);
    return { settings, faults: [{ path: 'preset', message }] };
  }
  const { name: _, format, ...content } = readYaml(found.path);
  requireOwnFormat(format);
  const under = overPresets(withOwnNames(content), [...chain, found.name]);
  return { settings: mergeConfig(under.settings, own), faults: under.faults };
}

function unknownPreset(preset: unknown, names: readonly string[]): string {
  const nearest = typeof preset === 'string' ? `; the nearest is ${closest(preset, names)}` : '';
  return `${shown(preset)} was given; expected one of ${names.map((name) => `"${name}"`).join(', ')}${nearest}`;
}

function inCircle(chain: readonly string[]): string {
  return `presets name each other in a circle: ${chain.join(' -> ')}`;
}

/** The format of configs that this version writes. It grows when a setting gets another meaning; docs/operating.md has the policy. */
export const configFormat = 1;

/** A config of a newer format may mean something else by the settings that this version knows, so only its format is named. @throws InvalidConfig */
export function requireOwnFormat(format: unknown): void {
  if (
    format === undefined ||
    (Number.isInteger(format) && Number(format) >= 1 && Number(format) <= configFormat)
  )
    return;
  const message =
    Number.isInteger(format) && Number(format) > configFormat
      ? `${shown(format)} was given, and Colloquy ${colloquyVersion()} reads configs up to format ${configFormat}: a newer version wrote this one. Install a version that reads it`
      : `${shown(format)} was given; expected ${configFormat}, the format of configs, or nothing`;
  throw new InvalidConfig([{ path: 'format', message }]);
}

function nameFaults(name: unknown): ConfigFault[] {
  if (name === undefined) return [];
  const parsed = experimentNameSchema.safeParse(name);
  return parsed.success
    ? []
    : configFaults(experimentNameSchema, name, parsed.error)
        .map((fault) => ({ ...fault, path: 'name' }))
        .slice(0, 1);
}

export type Preset = {
  /** The file's name without `.yaml`. */
  readonly name: string;
  /** The file's first comment, without the line that names the schema for editors. */
  readonly description: string;
  /** Absolute. */
  readonly path: string;
};

/** The experiments in `configs/`, by name. */
export function presets(folder: string = join(projectRoot, 'configs')): Preset[] {
  return yamlFilesIn(folder)
    .filter(({ path }) => !workerFiles.has(parse(path).base))
    .map(({ path, text }) => ({ name: parse(path).name, description: firstComment(text), path }));
}

/** The worker's own configuration; not experiments. */
const workerFiles = new Set([
  'endpoints.yaml',
  'endpoints.example.yaml',
  'trainers.yaml',
  'trainers.example.yaml',
  'scorers.yaml',
]);

function firstComment(text: string): string {
  const comments = text
    .split('\n')
    .filter((line) => line.startsWith('#') && !line.includes('yaml-language-server'));
  return (comments[0] ?? '').replace(/^#\s*/, '').trim();
}

/**
 * The settings that no night of a series may change: the method, the agents and their base models, what is trained (an adapter or all
 * weights), and the settings that decide which questions are held out and in which order the others come. The path of a local copy of a
 * dataset is ignored. All other settings may change from one night to the next.
 */
export function fixedSettings(config: ExperimentConfig): Record<string, unknown> {
  const { method, seed, task, fine_tune } = config;
  const names = agentsOf(config).map(({ model }) => model.model_name_or_path);
  const model = { model_name_or_path: names[0] };
  return {
    method,
    seed,
    ...(new Set(names).size === 1
      ? { agents: agentCount(config), model }
      : { agents: names.map((name) => ({ model: { model_name_or_path: name } })) }),
    // The series of older versions do not have it.
    ...(fine_tune.method === 'lora' ? {} : { fine_tune: { method: fine_tune.method } }),
    task: {
      ...task,
      train_size: undefined,
      train_file: undefined,
      validation_size: undefined,
      validation_file: undefined,
      decontaminate: undefined,
      dataset_path: undefined,
      train_dataset_path: undefined,
    },
  };
}

/** A setting that differs between two configs. It is undefined in a config that does not have it. */
export type Difference = { readonly path: string; readonly before: unknown; readonly after: unknown };

/** The settings in which two configs differ. Lists are compared as a whole. */
export function configDifference(before: unknown, after: unknown): Difference[] {
  return differences('', before, after);
}

/**
 * The settings by which two configs are of two experiments: which trainer makes the models, who is told of it, and what may be used for it,
 * change none of them.
 */
export function experimentDifference(before: unknown, after: unknown): Difference[] {
  return configDifference(before, after).filter(
    ({ path }) => !/^(trainer|report_to|budget(\..*)?)$/.test(path),
  );
}

/** The config of an experiment that is started again: as it was begun, with the number of iterations and such settings as they are given now. */
export function startedAgain(
  begun: ExperimentConfig,
  { iterations, trainer, report_to, budget }: ExperimentConfig,
): ExperimentConfig {
  return { ...begun, iterations, trainer, report_to, budget };
}

function differences(path: string, before: unknown, after: unknown): Difference[] {
  if (isConfigInput(before) && isConfigInput(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
    return keys.flatMap((key) => differences(path === '' ? key : `${path}.${key}`, before[key], after[key]));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}
