import { z } from 'zod';
import type { Accuracy } from '../../algorithm/measures/answers.ts';
import { type MethodName, methodNames, methods } from '../../algorithm/methods.ts';
import { agentsOf } from '../../config/agents.ts';
import { agentCount, type ExperimentConfig, experimentConfigSchema } from '../../config/experiment.ts';
import { configDifference } from '../../config/resolve.ts';
import type { MeasuredExperiment } from '../read/measured-experiment.ts';
import { type ContenderKey, rowOf } from './contenders.ts';
import publishedFigures from './published.json' with { type: 'json' };

const taskNames = ['arithmetic', 'gsm8k', 'math', 'math-all-levels', 'mmlu'] as const;
/** The paper's tasks: `math` is levels 1 to 3. */
type TaskName = (typeof taskNames)[number];

/** Which experiment of the paper one of ours corresponds to. */
export type PaperSetting = { readonly model: string; readonly task: TaskName; readonly agents: number };

/**
 * The paper's experiment with this model, task, number of agents and rounds; null when there is none, or when it is not certain.
 * Fine-tuning, sampling and sizes may differ: `differencesFromPaper` lists how.
 */
export function paperSetting(config: ExperimentConfig): PaperSetting | null {
  const names = new Set(
    agentsOf(config).map(({ model: { model_name_or_path } }) => lastPart(model_name_or_path)),
  );
  const model = models.find(({ pattern }) => [...names].every((name) => pattern.test(name)))?.model;
  const task = taskOf(config.task);
  if (model === undefined || task === null) return null;
  // A method without debate has one round, here as in the paper.
  const roundsAlike = config.rounds === 2 || withoutDebate.includes(config.method);
  return roundsAlike ? { model, task, agents: agentCount(config) } : null;
}

const withoutDebate: readonly MethodName[] = [
  'base',
  'majority',
  'star',
  'majority-ft',
  'single-agent-no-debate',
];

/** The models' names on the hub and at OpenAI. The paper's LLaMA-3 is the base model: the authors' code loads it, and not Instruct. */
const models = [
  { model: 'gpt-3.5', pattern: /^gpt-3\.5-turbo(-\d{4})?$/i },
  { model: 'phi-3-mini', pattern: /^phi-3-mini-128k-instruct$/i },
  { model: 'mistral-7b', pattern: /^mistral-7b-instruct-v0\.2$/i },
  { model: 'llama-3-8b', pattern: /^meta-llama-3-8b$/i },
];

function lastPart(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) ?? '';
}

/**
 * The paper's tasks in our settings; the other settings of a task may be any. MATH-500 and a user's own questions are in none: they are
 * another choice of questions than the paper's.
 */
const tasks: readonly { readonly name: TaskName; readonly settings: Readonly<Record<string, unknown>> }[] = [
  { name: 'arithmetic', settings: { kind: 'arithmetic', form: 'a+b*c+d-e*f', range: [0, 30], ranges: {} } },
  { name: 'gsm8k', settings: { kind: 'gsm8k' } },
  { name: 'mmlu', settings: { kind: 'mmlu' } },
  { name: 'math', settings: { kind: 'math', levels: [1, 2, 3] } },
  { name: 'math-all-levels', settings: { kind: 'math', levels: [1, 2, 3, 4, 5] } },
];

function taskOf(task: ExperimentConfig['task']): TaskName | null {
  const given: Readonly<Record<string, unknown>> = task;
  const matches = ({ settings }: (typeof tasks)[number]) =>
    Object.entries(settings).every(([key, value]) => comparable(given[key]) === comparable(value));
  return tasks.find(matches)?.name ?? null;
}

/** The order of a list of numbers, and repetitions in it, do not matter: levels are a set, and a range is in order. */
function comparable(value: unknown): string {
  return JSON.stringify(
    Array.isArray(value) ? [...new Set(value.map(String))].toSorted((a, b) => (a < b ? -1 : 1)) : value,
  );
}

/** Settings that decide what is measured, or how it is run, and not how a model learns or answers. */
const notOfTheMethod =
  /^(method|seed|rounds|iterations|shard_size|shared_answers|equal_tokens|task|transfer|model|fine_tune\.(per_device_train_batch_size|save_steps|gradient_checkpointing))(\.|$)/;

/** How a config differs from the paper's settings, as `learning_rate 0.0001 (paper: 0.00001)`. */
export function differencesFromPaper(config: ExperimentConfig): string[] {
  const paper = experimentConfigSchema.parse({});
  return (
    configDifference(paper, config)
      .filter(({ path }) => !notOfTheMethod.test(path) && !(path in methods[config.method].fixes))
      // In the paper all agents, and the summariser, are one model with one way of sampling.
      .filter(({ path, after }) => path !== 'agents' || typeof after !== 'number')
      .map(
        ({ path, before = 'none', after }) =>
          `${path} ${JSON.stringify(after)} (paper: ${JSON.stringify(before)})`,
      )
  );
}

const published = z
  .looseObject({
    source: z.string(),
    tables: z.array(
      z.strictObject({
        table: z.string(),
        agents: z.int(),
        iteration: z.int(),
        methods: z.array(z.enum(methodNames)),
        rows: z.array(
          z.strictObject({
            model: z.string(),
            task: z.enum(taskNames),
            /** Per cent, in the order of the methods. */
            accuracies: z.array(z.number().nullable()),
            questions: z.int().default(500),
          }),
        ),
      }),
    ),
  })
  .parse(publishedFigures);

export const publishedSource = published.source;

/** A figure of the paper. */
export type PublishedFigure = {
  /** 0..1. */
  readonly accuracy: number;
  /** How many questions it was measured on. */
  readonly questions: number;
  readonly table: string;
};

/** The paper's figure for a method in one of its experiments after an iteration (0 for a method that learns nothing); null where it has none. */
export function publishedFigure(
  { model, task, agents }: PaperSetting,
  method: MethodName,
  iteration: number,
): PublishedFigure | null {
  for (const { table, rows, methods: named, ...of } of published.tables) {
    if (of.iteration !== iteration && methods[method].learning !== undefined) continue;
    const row = rows.find((each) => each.model === model && each.task === task);
    const accuracy = row?.accuracies[named.indexOf(method)] ?? null;
    // A single answer does not depend on the number of agents.
    const alike = of.agents === agents || methods[method].answer === 'single';
    if (row !== undefined && accuracy !== null && alike)
      return { accuracy: accuracy / 100, questions: row.questions, table };
  }
  return null;
}

/** Our figure compared with the paper's. */
export type PaperAgreement = {
  readonly published: PublishedFigure;
  /** Ours less theirs, 0..1. */
  readonly difference: number;
  /** The largest difference that counts as agreement: 1.96 standard errors. */
  readonly within: number;
  readonly agrees: boolean;
};

/** The accuracy of an experiment's method after an iteration beside the paper's; null where the paper has no such figure. */
export function paperAgreement(
  config: ExperimentConfig,
  own: Accuracy & { readonly iteration: number },
): PaperAgreement | null {
  const setting = paperSetting(config);
  const figure = setting === null ? null : publishedFigure(setting, config.method, own.iteration);
  return figure === null ? null : agreement(own, figure);
}

/**
 * Whether our figure and the paper's can be two samples of the same: their difference is at most 1.96 times its standard error, the
 * two being independent. The paper's error is taken as the binomial one of its questions, since some that it prints are smaller.
 */
export function agreement(own: Accuracy, figure: PublishedFigure): PaperAgreement {
  const { accuracy, questions } = figure;
  const within = 1.96 * Math.hypot(own.standardError, Math.sqrt((accuracy * (1 - accuracy)) / questions));
  const difference = own.accuracy - accuracy;
  return { published: figure, difference, within, agrees: Math.abs(difference) <= within };
}

/** The configs and versions that the experiments of a setting ran with. */
export type SettingConfig = {
  readonly setting: string;
  /** The row whose config this is: the reference, or else the first. */
  readonly of: string;
  /** Without what each experiment has of its own. */
  readonly config: object;
  /** How the configs of other rows differ from it, without what their method fixes. */
  readonly byRow: readonly { readonly row: string; readonly differences: readonly string[] }[];
  /** How it differs from the paper's experiment that it corresponds to; null when there is none. */
  readonly fromPaper: readonly string[] | null;
  /** By package; several where experiments ran with several. */
  readonly versions: Readonly<Record<string, string>>;
};

/** A setting of a study, without what is measured of it. */
type NamedExperiments = { readonly name: string; readonly experiments: readonly ExperimentOfSetting[] };
type ExperimentOfSetting = Pick<MeasuredExperiment, 'method' | 'variant' | 'config' | 'result'>;

/** Null for a setting without finished experiments. */
export function settingConfig(
  { name, experiments }: NamedExperiments,
  reference: ContenderKey,
): SettingConfig | null {
  const first = experiments.find((each) => rowOf(each) === reference) ?? experiments[0];
  if (first === undefined) return null;
  const { seed: _, shared_answers: __, method: ___, ...config } = first.config;
  const byRow = [...new Set(experiments.map(rowOf))].map((row) => {
    const own = experiments.find((each) => rowOf(each) === row) ?? first;
    const differences = configDifference(first.config, own.config)
      .filter(({ path }) => path !== 'method' && path !== 'seed' && !(path in methods[own.method].fixes))
      .map(({ path, after }) => `${path}: ${JSON.stringify(after)}`);
    return { row, differences };
  });
  return {
    setting: name,
    of: rowOf(first),
    config,
    byRow: byRow.filter(({ differences }) => differences.length > 0),
    fromPaper: paperSetting(first.config) === null ? null : differencesFromPaper(first.config),
    versions: versionsOf(experiments),
  };
}

function versionsOf(experiments: readonly ExperimentOfSetting[]): Record<string, string> {
  const found = new Map<string, Set<string>>();
  for (const { result } of experiments)
    for (const [name, version] of Object.entries(result.versions))
      found.set(name, (found.get(name) ?? new Set()).add(version));
  return Object.fromEntries([...found].map(([name, versions]) => [name, [...versions].join(', ')]));
}
