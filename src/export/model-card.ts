import { basename } from 'node:path';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { agentOf, type SamplingSettings } from '../config/agents.ts';
import { agentCount } from '../config/experiment.ts';
import { roundedRank } from '../config/fine-tune.ts';
import { modelLocation } from '../config/model-name.ts';
import { count } from '../text/figures.ts';
import { fenced, shellQuoted } from '../text/safe-text.ts';
import type { StoredManifest } from '../store/models.ts';
import { accuracyTable, card, licenceSection, provenance, settingsBlock, textTable } from './folder.ts';
import { type AgentModel, baseOf, type FinishedIteration } from './finished-iteration.ts';

/**
 * The README.md of an exported LoRA adapter.
 *
 * @param folder where the adapter will be: absolute, as its code is to run from any folder
 */
export function modelCard(
  folder: string,
  model: AgentModel,
  manifest: StoredManifest,
  done: FinishedIteration,
): string {
  const { config, iteration } = done;
  const { agent, role, madeIn } = model;
  const base = baseOf(done, model).model_name_or_path;
  const name = basename(folder);
  return card(frontMatter(name, base, done, { library_name: 'peft', tags: ['lora', 'trl', 'sft'] }), [
    title(model, done),
    `${provenance} A LoRA adapter of \`${base}\`: the ${role} model of agent ${agent} of ${agentCount(config)}, as iteration ` +
      `${iteration} left it${madeInWords(madeIn, iteration)}. One adapter is one agent's part; the accuracies below are those of all agents together.`,
    ...(isOnTheHub(base)
      ? []
      : [
          `\`base_model\` is a folder of the machine that trained it. To publish this on the Hub, write the base model's id instead, here and in adapter_config.json.`,
        ]),
    ...training(model, manifest, done),
    ...evaluation(done),
    `## Use\n\n${fenced(adapterInPython(modelLocation(base), folder, agentOf(config, agent).sampling), 'python')}\n\n${fenced(adapterInVllm(modelLocation(base), folder, manifest), 'sh')}`,
    ...ending(manifest, done),
  ]);
}

/**
 * The README.md of a whole model: one that an adapter was merged into, or one of which all weights were trained.
 *
 * @param folder where the model will be: absolute
 */
export function wholeModelCard(
  folder: string,
  model: AgentModel,
  manifest: StoredManifest,
  done: FinishedIteration,
): string {
  const { experiment, iteration } = done;
  const { agent, role, madeIn } = model;
  const base = baseOf(done, model).model_name_or_path;
  const name = `${experiment}-agent-${agent}-${role}`;
  return card(frontMatter(name, base, done, { library_name: 'transformers', tags: ['trl', 'sft'] }), [
    title(model, done),
    `${provenance} ${whatItIs(base, model, manifest, done)}, as iteration ${iteration} left it${madeInWords(madeIn, iteration)}. It is one agent's part; the accuracies below are those of all agents together: ` +
      `\`colloquy serve --experiment ${experiment}\` lets them all debate.`,
    ...training(model, manifest, done),
    ...evaluation(done),
    `## Use\n\n${fenced(wholeInPython(folder, agentOf(done.config, agent).sampling), 'python')}\n\n${fenced(`vllm serve ${shellQuoted(folder)} --served-model-name ${name}`, 'sh')}`,
    ...ending(manifest, done),
  ]);
}

/** The README.md that stands for a model which a server trained and keeps: its name there. */
export function hostedModelCard(
  folder: string,
  model: AgentModel,
  manifest: StoredManifest,
  { name, job, url }: NonNullable<StoredManifest['hosted']>,
  done: FinishedIteration,
): string {
  const { config, iteration } = done;
  const { agent, role, madeIn } = model;
  const base = baseOf(done, model).model_name_or_path;
  const facts = frontMatter(basename(folder), base, done, { library_name: 'openai', tags: ['sft'] });
  return card(facts, [
    title(model, done),
    `${provenance} The ${role} model of agent ${agent} of ${agentCount(config)}, as iteration ${iteration} left it${madeInWords(madeIn, iteration)}: the server ${url} fine-tuned ` +
      `\`${base}\` (job ${job}) and has the model under the name \`${name}\`. There are no weights to export: whoever may use that account can ask the model there.`,
    ...training(model, manifest, done),
    ...evaluation(done),
    `## Use\n\n${fenced(
      `curl ${shellQuoted(`${url}/chat/completions`)} -H "Authorization: Bearer $API_KEY" -H 'Content-Type: application/json' \\\n  -d ${shellQuoted(
        JSON.stringify({ model: name, messages: [{ role: 'user', content: '3+4*5-6' }] }),
      )}`,
      'sh',
    )}`,
    ...ending(manifest, done),
  ]);
}

function whatItIs(
  base: string,
  { agent, role }: AgentModel,
  { form }: StoredManifest,
  { config }: FinishedIteration,
): string {
  const whose = `${role} model of agent ${agent} of ${agentCount(config)}`;
  return form === 'full'
    ? `The ${whose}: \`${base}\` with all its weights fine-tuned`
    : `\`${base}\` with the LoRA adapter of the ${whose} merged into it`;
}

function isOnTheHub(base: string): boolean {
  return modelLocation(base) === base && /^[\w.-]+\/[\w.-]+$/.test(base);
}

function frontMatter(
  name: string,
  base: string,
  done: FinishedIteration,
  { library_name, tags }: { readonly library_name: string; readonly tags: readonly string[] },
): object {
  const last = done.evaluations.at(-1);
  return {
    base_model: base,
    library_name,
    pipeline_tag: 'text-generation',
    tags: [...tags, 'colloquy', 'multiagent-finetuning'],
    ...(last === undefined ? {} : { 'model-index': [modelIndex(name, last, done)] }),
  };
}

function title({ agent, role }: AgentModel, { experiment, iteration }: FinishedIteration): string {
  return `# ${experiment}, iteration ${iteration}: ${role} model of agent ${agent}`;
}

function training(
  { madeIn }: AgentModel,
  manifest: StoredManifest,
  { experiment }: FinishedIteration,
): string[] {
  return [
    `## Training\n\n${manifest.hosted === undefined ? "TRL's `SFTTrainer`" : "OpenAI's fine-tuning API"}, loss on the completion alone, on ${count(manifest.dataset.rows)} rows ` +
      `(${madeIn === null ? '' : `\`colloquy export ${experiment} --iteration ${madeIn}\` writes them; `}SHA-256 of the file ${manifest.dataset.sha256}), from ` +
      `${manifest.init_model === null ? 'the base model' : "this agent's model of the iteration before"}.`,
    textTable(
      ['optimiser steps', 'tokens', 'loss at the end', 'seed'],
      [
        [
          count(manifest.steps),
          count(manifest.tokens),
          manifest.final_loss?.toFixed(4) ?? '–',
          String(manifest.seed),
        ],
      ],
    ),
    settingsBlock(manifest.settings),
  ];
}

function evaluation({ iteration, evaluations }: FinishedIteration): string[] {
  const [first, last] = [evaluations[0], evaluations.at(-1)];
  return [
    `## Evaluation\n\n${count(last?.questions ?? 0)} held-out questions, ± one standard error: the agents together before any fine-tune of this experiment and after iteration ${iteration}. ` +
      '`single answer` is the mean over the agents, `debate` uses the models of every role.',
    accuracyTable([first, last].filter((each) => each !== undefined)),
  ];
}

function ending(manifest: StoredManifest, { config }: FinishedIteration): string[] {
  return [
    `It was trained on dialogues in the words of Colloquy's prompts \`${config.prompts}\`; other words may get other answers.`,
    textTable(['made with', 'version'], Object.entries(manifest.versions)),
    licenceSection,
  ];
}

function madeInWords(madeIn: number | null, iteration: number): string {
  if (madeIn === iteration) return '';
  return madeIn === null
    ? ' (older than the experiment, which had nothing for it to learn from)'
    : ` (trained in iteration ${madeIn}; since then there was nothing for it to learn from)`;
}

/** The figures in the form of https://huggingface.co/docs/hub/model-cards, as shares. */
function modelIndex(name: string, evaluation: Evaluation, { experiment, config }: FinishedIteration): object {
  const figures = { 'single answer': 'single', majority: 'majority', debate: 'debate' } as const;
  return {
    name: `${experiment}-${name}`,
    results: [
      {
        task: { type: 'text-generation' },
        dataset: { type: config.task.kind, name: `held-out questions of ${experiment}` },
        metrics: Object.entries(figures).map(([what, figure]) => ({
          type: 'accuracy',
          name: `accuracy of the ${agentCount(config)} agents' ${what}`,
          value: evaluation[figure].accuracy,
        })),
      },
    ],
  };
}

/** A question in the words of the training: the code is to answer something, and not only to load. */
function inChat({ enable_thinking }: SamplingSettings): string[] {
  // The same variables as in its training.
  const variables =
    enable_thinking === undefined ? '' : `, enable_thinking=${enable_thinking ? 'True' : 'False'}`;
  return [
    'messages = [{"role": "user", "content": "3+4*5-6"}]',
    `tokens = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True${variables})`,
    'answer = model.generate(**tokens, max_new_tokens=256)',
    'print(tokenizer.decode(answer[0][tokens["input_ids"].shape[1]:], skip_special_tokens=True))',
  ];
}

function adapterInPython(base: string, folder: string, sampling: SamplingSettings): string {
  return [
    'from peft import PeftModel',
    'from transformers import AutoModelForCausalLM, AutoTokenizer',
    '',
    `base = ${JSON.stringify(base)}`,
    `adapter = ${JSON.stringify(folder)}  # where this export was written`,
    'tokenizer = AutoTokenizer.from_pretrained(base)',
    'model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)',
    ...inChat(sampling),
  ].join('\n');
}

function wholeInPython(folder: string, sampling: SamplingSettings): string {
  return [
    'from transformers import AutoModelForCausalLM, AutoTokenizer',
    '',
    `folder = ${JSON.stringify(folder)}  # where this export was written`,
    'tokenizer = AutoTokenizer.from_pretrained(folder)',
    'model = AutoModelForCausalLM.from_pretrained(folder)',
    ...inChat(sampling),
  ].join('\n');
}

function adapterInVllm(base: string, folder: string, { settings }: StoredManifest): string {
  const atMost = roundedRank(Number(settings['lora_r']));
  return `vllm serve ${shellQuoted(base)} --enable-lora --max-lora-rank ${atMost} --lora-modules ${shellQuoted(`${basename(folder)}=${folder}`)}`;
}
