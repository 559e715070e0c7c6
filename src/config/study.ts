/** Which experiments does a study have? A study compares methods: it runs every experiment with every method and every seed. */
import { join } from 'node:path';
import { closest } from 'fastest-levenshtein';
import { z } from 'zod';
import type { Limits } from '../algorithm/steering.ts';
import { type MethodName, methodNames, methods } from '../algorithm/methods.ts';
import { totalBudgetSchema } from './limits.ts';
import type { ExperimentConfig } from './experiment.ts';
import { type ConfigFault, configFaults, InvalidConfig, shown } from './faults.ts';
import { projectRoot } from './installation.ts';
import { type ConfigInput, isConfigInput, mergeConfig, mergeStudy, readYaml } from './load.ts';
import { studyNameSchema } from './names.ts';
import { withOwnNames } from './other-names.ts';
import { type Preset, presets, requireOwnFormat, resolveConfig } from './resolve.ts';

const labelRule =
  'a name within a study is 1 to 24 letters, digits, "_" or "-", and begins with a letter or digit';

const variantRule = 'a variant is 1 to 24 small letters, digits or "-", and begins with a letter or digit';

/** Settings of experiments. The schema of experiments checks them, when each experiment is resolved. */
const settingsSchema = z.record(z.string(), z.unknown());

const experimentSchema = settingsSchema
  .and(z.object({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,23}$/, labelRule) }))
  .describe('A column of the tables: its name, and the settings in which it differs from the others.');

export const studyConfigSchema = z.strictObject({
  name: studyNameSchema.optional(),
  methods: z
    .array(z.enum(methodNames))
    .min(1)
    .describe('The rows of the tables, in this order: docs/methods.md.'),
  seeds: z
    .array(z.int().min(0).max(2_147_483_647))
    .min(1)
    .default([0])
    .describe('Each experiment is run with each of these seeds.'),
  parallel: z.int().min(1).max(64).default(2).describe('How many experiments run at the same time.'),
  total_budget: totalBudgetSchema.optional(),
  settings: settingsSchema.default({}).describe('Settings of all experiments.'),
  method_settings: z
    .partialRecord(z.enum(methodNames), settingsSchema)
    .default({})
    .describe(
      'Settings of one method, which replace the others, e.g. {star: {init_from: base}}. Methods that the study does not have are ignored.',
    ),
  variants: z
    .record(z.string().regex(/^[a-z0-9][a-z0-9-]{0,23}$/, variantRule), settingsSchema)
    .default({})
    .describe(
      'More rows of the tables, by name: settings that replace the others, with the `method` that they are of (multiagent-ft by default), e.g. {dpo: {fine_tune: {objective: dpo}}}. A study that names its `methods` has none of its preset’s variants, unless it names variants too.',
    ),
  experiments: z.array(experimentSchema).min(1).describe('The columns of the tables: tasks and models.'),
});
export type StudyConfig = z.infer<typeof studyConfigSchema>;

const folder = join(projectRoot, 'configs', 'studies');

/** The studies in `configs/studies/`, by name. */
export function studyPresets(): Preset[] {
  return presets(folder);
}

/** One experiment of a study: a method or a variant of one, a column and a seed. */
export type StudyCell = {
  /** The experiment's name, which is also its workflow id and its folder. */
  readonly name: string;
  /** The name of the column. */
  readonly experiment: string;
  readonly method: MethodName;
  /** The variant's name; a method's own row has none. */
  readonly variant?: string;
  readonly seed: number;
  /** The input of the experiment's workflow. */
  readonly input: ConfigInput;
  readonly config: ExperimentConfig;
};

export type Study = {
  readonly name: string;
  readonly parallel: number;
  /** What all of them may use together; only where the study has one. */
  readonly totalBudget?: Limits;
  /** Sorted by column, then by seed, then by row, so that the experiments that share most answers run one after another. */
  readonly cells: readonly StudyCell[];
};

/**
 * The complete study of an input.
 *
 * @param name the study's name, which is its workflow id
 * @throws InvalidConfig with every fault of the study and of each of its experiments
 */
export function resolveStudy(name: string, input: unknown): Study {
  const config = parseStudy(input);
  if (config.name !== undefined && config.name !== name) {
    const message = `is ${shown(config.name)}, but the workflow id is ${name}, and that is the study's name`;
    throw new InvalidConfig([{ path: 'name', message }], 'The study');
  }
  const faults = [...faultsOfNames(config), ...faultsOfVariants(config), ...settingsOfStudy(config)];
  if (faults.some(({ path }) => path.startsWith('variants.'))) throw new InvalidConfig(faults, 'The study');
  const cells: StudyCell[] = [];
  for (const [index, experiment] of config.experiments.entries()) {
    for (const seed of config.seeds) {
      for (const row of rowsOf(config)) {
        try {
          cells.push(cellOf(name, config, experiment, row, seed));
        } catch (error) {
          if (!(error instanceof InvalidConfig)) throw error;
          faults.push(...error.faults.map((fault) => atExperiment(fault, config, index, row)));
        }
      }
    }
  }
  for (const cell of repeated(cells.map((each) => each.name))) {
    const message = `two of the study's experiments would be called ${shown(cell)}: rename a column or a variant`;
    faults.push({ path: 'experiments', message });
  }
  if (faults.length > 0) throw new InvalidConfig(withoutRepetitions(faults), 'The study');
  const { parallel, total_budget: totalBudget } = config;
  return { name, parallel, ...(totalBudget === undefined ? {} : { totalBudget }), cells };
}

/** The config of an input. The input's keys replace those of its `preset`, a file of configs/studies. */
function parseStudy(input: unknown): StudyConfig {
  const given = input ?? {};
  if (!isConfigInput(given)) {
    const message = `${shown(given)} was given; expected one object, e.g. {"methods": ["base", "debate"], "experiments": [{"name": "arithmetic"}]}`;
    throw new InvalidConfig([{ path: '', message }], 'The study');
  }
  const { preset, format, ...own } = given;
  requireOwnFormat(format);
  const settings = preset === undefined ? own : mergeStudy(presetOf(preset), own);
  const parsed = studyConfigSchema.safeParse(settings);
  if (parsed.success) return parsed.data;
  throw new InvalidConfig(configFaults(studyConfigSchema, settings, parsed.error), 'The study');
}

function presetOf(preset: unknown): ConfigInput {
  const known = studyPresets();
  const found = known.find(({ name }) => name === preset);
  if (found !== undefined) {
    // Its name is the name of its file. This study has its own.
    const { name: _, format, ...content } = readYaml(found.path);
    requireOwnFormat(format);
    return content;
  }
  const names = known.map(({ name }) => name);
  const message = `${shown(preset)} was given; expected one of ${names.join(', ')}${typeof preset === 'string' ? `; the nearest is ${closest(preset, names)}` : ''}`;
  throw new InvalidConfig([{ path: 'preset', message }], 'The study');
}

/** A row of the tables: a method, or a variant of one with settings of its own. */
type Row = {
  readonly method: MethodName;
  readonly variant?: string;
  readonly settings: ConfigInput;
};

function rowsOf({ methods: named, variants }: StudyConfig): Row[] {
  return [
    ...named.map((method) => ({ method, settings: {} })),
    ...Object.entries(variants).map(([variant, { method = paperMethod, ...settings }]) => ({
      method: methodSchema.parse(method),
      variant,
      settings,
    })),
  ];
}

const paperMethod: MethodName = 'multiagent-ft';
const methodSchema = z.enum(methodNames);

/** Rows that a table has without variants, by name. */
const takenRows = new Map<string, string>([
  ...methodNames.map((name) => [name, 'a method'] as const),
  ['majority-at-equal-tokens', 'a row of its own beside debate'] as const,
]);

function faultsOfVariants({ variants }: StudyConfig): ConfigFault[] {
  return Object.entries(variants).flatMap(([variant, { method = paperMethod }]) => [
    ...(takenRows.has(variant)
      ? [
          {
            path: `variants.${variant}`,
            message: `${shown(variant)} is ${takenRows.get(variant)}: give the variant another name`,
          },
        ]
      : []),
    ...(methodSchema.safeParse(method).success
      ? []
      : [
          {
            path: `variants.${variant}.method`,
            message: `${shown(method)} was given; expected one of ${methodNames.join(', ')}${typeof method === 'string' ? `; the nearest is ${closest(method, methodNames)}` : ''}`,
          },
        ]),
  ]);
}

function cellOf(
  study: string,
  { settings, method_settings: methodSettings, total_budget: total }: StudyConfig,
  { name: experiment, ...own }: StudyConfig['experiments'][number],
  { method, variant, settings: ofVariant }: Row,
  seed: number,
): StudyCell {
  const shared = mergeConfig(withOwnNames(settings), withOwnNames(own));
  // A shared setting does not apply to a method that fixes it: `iterations: 5` does not concern the base model.
  const open = Object.fromEntries(Object.entries(shared).filter(([key]) => !(key in methods[method].fixes)));
  const ofMethod = mergeConfig(open, withOwnNames(methodSettings[method] ?? {}));
  const settled = mergeConfig(ofMethod, withOwnNames(ofVariant));
  const input = {
    ...settled,
    // Without limits it only counts what it uses.
    ...(total === undefined ? {} : { budget: settled['budget'] ?? {} }),
    method,
    seed,
    shared_answers: `${study}.${experiment}`,
  };
  const name = `${study}-${experiment}-${variant ?? method}-s${seed}`;
  const row = { method, ...(variant === undefined ? {} : { variant }) };
  return { name, experiment, ...row, seed, input, config: resolveConfig(input) };
}

function faultsOfNames({ experiments, methods: named, seeds }: StudyConfig): ConfigFault[] {
  return [
    ...repeated(experiments.map(({ name }) => name)).map((name) => ({
      path: 'experiments',
      message: `two of them are called ${shown(name)}; each needs a name of its own`,
    })),
    ...repeated(named).map((name) => ({ path: 'methods', message: `${shown(name)} is there twice` })),
    ...repeated(seeds).map((seed) => ({ path: 'seeds', message: `${seed} is there twice` })),
  ];
}

/** Settings that a study itself gives to its experiments. */
const setByStudy = ['name', 'method', 'seed', 'shared_answers', 'carry_over'];

function settingsOfStudy({
  settings,
  method_settings: byMethod,
  variants,
  experiments,
}: StudyConfig): ConfigFault[] {
  const places = [
    ...setByStudy.map((key) => ({ path: `settings.${key}`, there: key in settings })),
    ...Object.entries(byMethod).flatMap(([method, own]) =>
      setByStudy.map((key) => ({ path: `method_settings.${method}.${key}`, there: key in own })),
    ),
    ...Object.entries(variants).flatMap(([variant, own]) =>
      setByStudy
        .filter((key) => key !== 'method')
        .map((key) => ({ path: `variants.${variant}.${key}`, there: key in own })),
    ),
    ...experiments.flatMap((own, index) =>
      setByStudy.slice(1).map((key) => ({ path: `experiments.${index}.${key}`, there: key in own })),
    ),
  ];
  const message =
    'the study sets this for each experiment, by its methods, seeds and experiments: leave it out';
  return places.filter(({ there }) => there).map(({ path }) => ({ path, message }));
}

/** The items that occur more than once, each of them once. */
function repeated<Item>(items: readonly Item[]): Item[] {
  return [...new Set(items.filter((item, index) => items.indexOf(item) !== index))];
}

/** A fault of an experiment as a fault of the study: its path begins where the study sets the key, or at `experiments`. */
function atExperiment(
  { path, message }: ConfigFault,
  { experiments, method_settings: byMethod }: StudyConfig,
  index: number,
  { method, variant, settings }: Row,
): ConfigFault {
  const experiment = experiments[index]?.name;
  const sets = (own: ConfigInput): boolean => (path.split('.')[0] ?? '') in withOwnNames(own);
  if (variant !== undefined && sets(settings))
    return { path: `variants.${variant}.${path}`, message: `${message} (${experiment})` };
  if (sets(byMethod[method] ?? {}))
    return { path: `method_settings.${method}.${path}`, message: `${message} (${experiment})` };
  return {
    path: `experiments.${index}${path === '' ? '' : `.${path}`}`,
    message: `${message} (${experiment}, ${variant ?? method}; or in what they share)`,
  };
}

/** Reports the same fault in several methods and seeds once. */
function withoutRepetitions(faults: readonly ConfigFault[]): ConfigFault[] {
  const withoutCell = (fault: ConfigFault): string =>
    `${fault.path} ${fault.message.replace(/ \([^(]*\)$/, '')}`;
  return faults.filter(
    (fault, index) => faults.findIndex((each) => withoutCell(each) === withoutCell(fault)) === index,
  );
}
