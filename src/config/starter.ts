/** What does `colloquy init` write? A config for four answers, with a comment for each line; and the endpoint that it names. */
import { parseDocument, stringify } from 'yaml';
import { duration } from '../text/figures.ts';
import type { Limits } from '../algorithm/steering.ts';
import { type EndpointConfig, endpointOf } from './endpoints.ts';
import { embeddedModel } from './experiment.ts';
import { hubDatasets } from './names.ts';
import type { ConfigInput } from './load.ts';
import { isEmbedded } from './agents.ts';
import { configFormat } from './resolve.ts';

/** The four answers. */
export type Answers = {
  readonly task: StarterTask;
  readonly model: string;
  readonly endpoint: StarterEndpoint;
  readonly budget: Limits;
};

export type StarterTask =
  | { readonly kind: 'arithmetic' | keyof typeof hubDatasets }
  | { readonly kind: 'hub'; readonly dataset: string }
  /** Relative to the config, or absolute. */
  | { readonly kind: 'jsonl'; readonly train_file: string };

/** Where the model answers: the name in configs/endpoints.yaml, what stands or shall stand there, and whether it has to be added. */
export type StarterEndpoint = {
  readonly name: string;
  readonly config: EndpointConfig;
  readonly isNew: boolean;
};

/** The words that `taskOf` takes for a task, for people. Those for an endpoint are in `endpointChoices`. */
export const taskChoices = [
  'arithmetic         made questions, such as 12+3*4-5',
  'own:FILE           rows {"question": …, "answer": …}: JSON lines, a JSON list or Parquet',
  'gsm8k, math, math-500, mmlu',
  'hub:OWNER/NAME     another dataset of the Hugging Face hub',
];
export const usualTask = 'arithmetic';

/** Whether its questions are made from the seed, as sums that the tiny model can read; others are read from somewhere. */
export function isMadeUp({ kind }: StarterTask): boolean {
  return kind === 'arithmetic';
}

/** The words for a task: `arithmetic`, `own:FILE`, `hub:OWNER/NAME`, or a dataset that has a task of its own. Undefined for others. */
export function taskOf(words: string): StarterTask | undefined {
  if (words === 'arithmetic') return { kind: words };
  const dataset = Object.keys(hubDatasets).find((name) => name === words);
  if (dataset !== undefined) return { kind: dataset as keyof typeof hubDatasets };
  const [, kind, rest = ''] = /^(own|hub):(.+)$/s.exec(words) ?? [];
  if (kind === undefined) return undefined;
  return kind === 'own' ? { kind: 'jsonl', train_file: rest } : { kind: 'hub', dataset: rest };
}

export const usualModel = (task: StarterTask): string =>
  isMadeUp(task) ? 'tiny' : 'Qwen/Qwen3-4B-Instruct-2507';

/** `tiny` is the embedded model; other words are a folder, a hub id, or a server's name for it. */
export function modelOf(words: string): string {
  return words === 'tiny' ? embeddedModel : words;
}

export const endpointChoices = [
  'embedded           the engine that comes with Colloquy, on the CPU or a graphics card of the worker',
  'vllm               a vLLM that the worker starts and stops',
  'vllm:URL           a vLLM that runs already, and may load adapters',
  'openai:URL         another server of the OpenAI protocol: it only answers, so nothing is trained',
];

export const usualEndpoint = (model: string): string =>
  isEmbedded({ model_name_or_path: model }) ? 'embedded' : 'vllm';

/**
 * The words for an endpoint: `embedded`; `vllm`, which the worker runs; `vllm:URL`; `openai:URL`; or a name that is known. One that is there
 * already is taken, so that the same answer adds nothing twice. Undefined for other words.
 *
 * @param apiKeyEnv the variable with the server's key
 * @throws InvalidConfig when it can be no endpoint, e.g. for a wrong URL
 */
export function endpointFor(
  words: string,
  known: Readonly<Record<string, EndpointConfig>>,
  apiKeyEnv?: string,
): StarterEndpoint | undefined {
  const named = Object.hasOwn(known, words) ? known[words] : undefined;
  if (named !== undefined) return { name: words, config: named, isNew: false };
  const [, kind, url] = /^(embedded|vllm|openai)(?::(.+))?$/s.exec(words) ?? [];
  if (kind === undefined || (kind === 'openai' && url === undefined)) return undefined;
  if (kind === 'embedded' && url !== undefined) return undefined;
  const config = endpointOf({
    kind: kind === 'embedded' ? 'local' : kind,
    ...(url === undefined ? {} : { url }),
    ...(apiKeyEnv === undefined ? {} : { api_key_env: apiKeyEnv }),
  });
  const same = Object.entries(known).find(([, each]) => isSame(each, config));
  if (same !== undefined) return { name: same[0], config: same[1], isNew: false };
  return { name: freeName(url === undefined ? 'own-vllm' : 'server', known), config, isNew: true };
}

/** Limits such as the number of requests do not make it another endpoint. */
function isSame(a: EndpointConfig, b: EndpointConfig): boolean {
  const where = (endpoint: EndpointConfig) => [
    endpoint.kind,
    'url' in endpoint ? endpoint.url : undefined,
    'api_key_env' in endpoint ? endpoint.api_key_env : undefined,
  ];
  return JSON.stringify(where(a)) === JSON.stringify(where(b));
}

function freeName(wanted: string, known: object): string {
  const names = [wanted, ...Array.from({ length: 1_000 }, (_, index) => `${wanted}-${index + 2}`)];
  return names.find((name) => !Object.hasOwn(known, name)) ?? wanted;
}

/** The words for a budget: `none`, `500k`, `2M`, `8h`, `30min`, or two of them as in `2M,8h`. Undefined for others. */
export function budgetOf(words: string): Limits | undefined {
  if (words === 'none') return {};
  const limits: { tokens?: number; wall_seconds?: number } = {};
  for (const part of words.split(',').map((each) => each.trim())) {
    const [, tokens, size = ''] = /^(\d+(?:\.\d+)?)\s*([kMG]?)(?:\s*tokens)?$/.exec(part) ?? [];
    const [, time, unit = ''] = /^(\d+(?:\.\d+)?)\s*(h|min)$/.exec(part) ?? [];
    if (tokens !== undefined) limits.tokens = Math.round(Number(tokens) * (sizes[size] ?? 1));
    else if (time !== undefined) limits.wall_seconds = Number(time) * (unit === 'h' ? 3_600 : 60);
    else return undefined;
  }
  return Object.values(limits).every((limit) => limit > 0) ? limits : undefined;
}

const sizes: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9 };

/** Whether a server only answers: no model can be trained for it, so that its experiments only measure. */
function answersOnly({ endpoint }: Answers): boolean {
  return endpoint.config.kind === 'openai';
}

/** A setting: its YAML and what it means. Indented ones stand below the one before. */
type Line = readonly [yaml: string, comment?: string];

/**
 * The text of the config: the YAML, and behind each setting what it means.
 *
 * @param found what was found about the questions, e.g. `120 questions were found`
 * @param rowsInAStep fewer than the preset has, where there are few questions
 * @param more settings that the person gave too
 */
export function starterConfig(
  answers: Answers,
  found: string,
  rowsInAStep: number | undefined,
  more: ConfigInput,
): string {
  const { task, model, endpoint, budget } = answers;
  const tiny = isEmbedded({ model_name_or_path: model });
  const lines: Line[] = [
    [`format: ${configFormat}`, 'the format of this file, so that a version with another one knows it'],
    tiny
      ? [
          'preset: quickstart',
          'settings that are not here: those for the tiny model, three agents, two rounds',
        ]
      : ['preset: paper', 'settings that are not here: those of the paper, with LoRA adapters'],
    answersOnly(answers)
      ? [
          'iterations: 0',
          'only measures: this server cannot be given trained models (docs/hosted.md: one that trains)',
        ]
      : [
          'iterations: 3',
          'how often the agents debate all training questions, and then learn from their debates',
        ],
    ['task:'],
    ...taskLines(task, found),
    ['model:'],
    [`  endpoint: ${scalar(endpoint.name)}`, whereText(endpoint)],
    [`  model_name_or_path: ${scalar(model)}`, modelText(answers, tiny)],
    ...(rowsInAStep === undefined
      ? []
      : ([
          ['fine_tune:'],
          [`  per_device_train_batch_size: ${Math.min(4, rowsInAStep)}`, 'rows in a batch'],
          [
            `  gradient_accumulation_steps: ${Math.max(1, rowsInAStep / 4)}`,
            'batches in an optimiser step: few, as there are few questions to learn from',
          ],
        ] as const)),
    ...budgetLines(budget),
  ];
  const width = Math.max(...lines.map(([yaml, comment]) => (comment === undefined ? 0 : yaml.length)));
  const text = lines
    .map(([yaml, comment]) => (comment === undefined ? yaml : `${yaml.padEnd(width)}  # ${comment}`))
    .join('\n');
  return `${head}\n${withMore(text, more)}\n`;
}

const head =
  '# An experiment. All settings: docs/configuration.md; those that are in force: colloquy validate FILE';

function taskLines(task: StarterTask, found: string): Line[] {
  switch (task.kind) {
    case 'arithmetic':
      return [
        ['  kind: arithmetic', 'questions such as 12+3*4-5, which the seed makes'],
        ['  train_size: 300', 'questions to debate and learn from, in each iteration'],
        ['  test_size: 500', 'questions that only measure'],
      ];
    case 'jsonl':
      return [
        [
          '  kind: jsonl',
          'your own questions: rows {"question": …, "answer": …}, as JSON lines, JSON or Parquet',
        ],
        [`  train_file: ${scalar(task.train_file)}`, `${found}; test_file: names others for that`],
      ];
    case 'hub':
      return [
        ['  kind: hub', 'a dataset of the Hugging Face hub'],
        [`  dataset: ${scalar(task.dataset)}`, found],
        ['  train_size: 500', 'questions to debate and learn from, in each iteration'],
        ['  test_size: 500', 'questions that only measure'],
      ];
    default:
      return [
        [`  kind: ${task.kind}`, `${hubDatasets[task.kind].name} of the Hugging Face hub. ${found}`],
        ['  train_size: 500', 'questions to debate and learn from, in each iteration'],
        ['  test_size: 500', 'questions that only measure'],
      ];
  }
}

function whereText({ name, config }: StarterEndpoint): string {
  if (config.kind === 'local') return 'the engine that comes with Colloquy, in the worker';
  const entry = `${name} in configs/endpoints.yaml of the worker`;
  if (config.kind === 'vllm' && config.url === undefined) return `${entry}: a vLLM that it starts and stops`;
  return config.kind === 'vllm'
    ? `${entry}: a vLLM that runs already, and loads the adapters`
    : `${entry}: a server of the OpenAI protocol`;
}

function modelText({ endpoint: { config } }: Answers, tiny: boolean): string {
  if (config.kind === 'openai') return 'the name that the server has for it';
  return tiny
    ? 'the tiny model that comes with Colloquy: it reads only sums such as 3+4*5-6'
    : 'all agents begin as this model';
}

function budgetLines({ tokens, wall_seconds: seconds }: Limits): Line[] {
  if (tokens === undefined && seconds === undefined) return [];
  return [
    ['budget:'],
    ...(tokens === undefined
      ? []
      : [
          [
            `  tokens: ${tokens}`,
            'read, written and trained on; then it waits for `colloquy set-budget`',
          ] as const,
        ]),
    ...(seconds === undefined
      ? []
      : [
          [
            `  wall_seconds: ${seconds}`,
            `${duration(seconds)} of work; then it waits for \`colloquy set-budget\``,
          ] as const,
        ]),
  ];
}

/** A value as YAML, with quotes where it needs them. */
function scalar(value: string): string {
  return stringify(value, { lineWidth: 0, blockQuote: false }).trimEnd();
}

function withMore(text: string, more: ConfigInput): string {
  if (Object.keys(more).length === 0) return text;
  const document = parseDocument(text);
  const put = (path: readonly string[], value: unknown): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      for (const [key, below] of Object.entries(value)) put([...path, key], below);
    else document.setIn(path, value);
  };
  put([], more);
  return document.toString({ lineWidth: 0 }).trimEnd();
}

/** The piece for configs/endpoints.yaml. */
export function endpointPiece({ name, config }: StarterEndpoint): string {
  const settings = Object.entries(config).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return `${name}: { ${settings.join(', ')} }\n`;
}

/** The text of configs/endpoints.yaml with one more endpoint at its end; undefined where the text is of another form, such as `{a: …}`. */
export function withEndpoint(before: string, endpoint: StarterEndpoint): string | undefined {
  const text = `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}${endpointPiece(endpoint)}`;
  const document = parseDocument(text);
  return document.errors.length === 0 && document.has(endpoint.name) ? text : undefined;
}
