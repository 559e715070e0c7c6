import { type MethodName, methods } from '../../algorithm/methods/methods.ts';
import { configDifference } from '../../config/resolve.ts';
import { type ExperimentConfig, experimentConfigSchema } from '../../config/experiment.ts';
import type { TaskName } from './published.ts';

/** Which of the paper's experiments one of ours is. */
export type PaperSetting = { readonly model: string; readonly task: TaskName; readonly agents: number };

/**
 * The paper's experiment with this model, task, number of agents and rounds; null when there is none, and when it is not sure: nothing
 * is guessed. Fine-tuning, sampling and sizes may differ: `differencesFromPaper` tells how.
 */
export function paperSetting(config: ExperimentConfig): PaperSetting | null {
  const model = models.find(({ pattern }) => pattern.test(lastPart(config.model.model_name_or_path)))?.model;
  const task = taskOf(config.task);
  if (model === undefined || task === null) return null;
  // A method without debate has one round, as the paper's has.
  const roundsAlike = config.rounds === 2 || withoutDebate.includes(config.method);
  return roundsAlike ? { model, task, agents: config.agents } : null;
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

/** Of a folder of JSON lines nobody can say what it holds. MATH-500 is another choice of questions than the paper's. */
function taskOf(task: ExperimentConfig['task']): TaskName | null {
  const kind: string = task.kind;
  if (task.kind === 'arithmetic') {
    const { form, range, ranges } = task;
    const own = Object.keys(ranges).some((letter) => form.includes(letter));
    return form === 'a+b*c+d-e*f' && range.join() === '0,30' && !own ? 'arithmetic' : null;
  }
  if (kind === 'gsm8k' || kind === 'mmlu') return kind;
  if (kind !== 'math' || !('levels' in task) || !Array.isArray(task.levels)) return null;
  const asked = new Set<unknown>(task.levels);
  const levels = [1, 2, 3, 4, 5].filter((level) => asked.has(level)).join('');
  if (levels === '123') return 'math';
  return levels === '12345' ? 'math-all-levels' : null;
}

/** Settings that say what is measured, or how it is run, and not how a model learns or answers. */
const besides =
  /^(method|seed|agents|rounds|iterations|shard_size|shared_answers|equal_tokens|task|transfer|model|fine_tune\.(per_device_train_batch_size|save_steps|gradient_checkpointing))(\.|$)/;

/** In what a config differs from the paper's settings, as `learning_rate 0.0001 (paper: 0.00001)`. */
export function differencesFromPaper(config: ExperimentConfig): string[] {
  const paper = experimentConfigSchema.parse({});
  return configDifference(paper, config)
    .filter(({ path }) => !besides.test(path) && !(path in methods[config.method].fixes))
    .map(({ path, before, after }) => `${path} ${JSON.stringify(after)} (paper: ${JSON.stringify(before)})`);
}
