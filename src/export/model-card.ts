import { basename } from 'node:path';
import { objectives } from '../algorithm/objectives.ts';
import { agentOf, modelLocation } from '../config/agents.ts';
import { agentCount } from '../config/experiment.ts';
import { aboutForm } from '../config/fine-tune.ts';
import { count, listed } from '../text/figures.ts';
import { fenced, shellQuoted } from '../text/safe-text.ts';
import type { StoredManifest } from '../store/models.ts';
import { modelName } from '../store/store.ts';
import {
  accuracyTable,
  adapterInPython,
  adapterInVllm,
  besideDebate,
  card,
  licenceSection,
  provenance,
  settingsBlock,
  textTable,
  wholeInPython,
  wholeInVllm,
} from './folder.ts';
import type { Destination, HubPlace } from './licences.ts';
import {
  type AgentModel,
  baseOf,
  type DistilledModel,
  type FinishedIteration,
} from './finished-iteration.ts';

/**
 * The README.md of an exported LoRA adapter.
 *
 * @param to where the adapter will be
 */
export function modelCard(
  to: Destination,
  model: AgentModel | DistilledModel,
  manifest: StoredManifest,
  done: FinishedIteration,
): string {
  const { config } = done;
  const { agent } = model;
  const base = baseIn(to, model, done);
  const name = basename(to.path);
  const facts = { library_name: 'peft', tags: ['lora', 'trl', 'sft'], relation: 'adapter' };
  const { sampling } = agentOf(config, agent);
  return card(frontMatter(name, to, model, done, facts), [
    title(model, done),
    `${provenance} A LoRA adapter of \`${base}\`: ${whichModel(model, done)}. ` +
      (isDistilled(model)
        ? answersAlone
        : "One adapter is one agent's part; the accuracies below are those of all agents together."),
    ...(to.hub !== undefined || isOnTheHub(base)
      ? []
      : [
          `\`base_model\` is a folder of the machine that trained it. To publish this on the Hub, write the base model's id instead, here and in adapter_config.json.`,
        ]),
    ...training(model, manifest, done),
    ...evaluation(model, done),
    `## Use\n\n${fenced(adapterInPython(modelLocation(base), to, sampling), 'python')}\n\n${fenced(adapterInVllm(modelLocation(base), to, manifest), 'sh')}`,
    ...ending(manifest, done, to),
  ]);
}

/**
 * The README.md of a whole model: one that an adapter was merged into, or one of which all weights were trained.
 *
 * @param to where the model will be
 */
export function wholeModelCard(
  to: Destination,
  model: AgentModel | DistilledModel,
  manifest: StoredManifest,
  done: FinishedIteration,
): string {
  const { experiment } = done;
  const { agent, role } = model;
  const base = baseIn(to, model, done);
  const name = `${experiment}-${modelName(agent, role)}`;
  const facts = { library_name: 'transformers', tags: ['trl', 'sft'], relation: 'finetune' };
  return card(frontMatter(name, to, model, done, facts), [
    title(model, done),
    `${provenance} ${whatItIs(base, model, manifest, done)}. ` +
      (isDistilled(model)
        ? answersAlone
        : `It is one agent's part; the accuracies below are those of all agents together: \`colloquy serve --experiment ${experiment}\` lets them all debate.`),
    ...training(model, manifest, done),
    ...evaluation(model, done),
    `## Use\n\n${fenced(wholeInPython(to, agentOf(done.config, agent).sampling), 'python')}\n\n${fenced(wholeInVllm(to, name), 'sh')}`,
    ...ending(manifest, done, to),
  ]);
}

/** The README.md that stands for a model which a server trained and keeps: its name there. */
export function hostedModelCard(
  folder: string,
  model: AgentModel | DistilledModel,
  manifest: StoredManifest,
  { name, job, url }: NonNullable<StoredManifest['hosted']>,
  done: FinishedIteration,
): string {
  const base = baseOf(done, model).model_name_or_path;
  const to = { path: folder };
  const facts = { library_name: 'openai', tags: ['sft'], relation: 'finetune' };
  return card(frontMatter(basename(folder), to, model, done, facts), [
    title(model, done),
    `${provenance} This is ${whichModel(model, done)}. The server ${url} fine-tuned ` +
      `\`${base}\` (job ${job}) and has the model under the name \`${name}\`. There are no weights to export: everyone who may use that account can ask the model there.`,
    ...training(model, manifest, done),
    ...evaluation(model, done),
    `## Use\n\n${fenced(
      `curl ${shellQuoted(`${url}/chat/completions`)} -H "Authorization: Bearer $API_KEY" -H 'Content-Type: application/json' \\\n  -d ${shellQuoted(
        JSON.stringify({ model: name, messages: [{ role: 'user', content: '3+4*5-6' }] }),
      )}`,
      'sh',
    )}`,
    ...ending(manifest, done, to),
  ]);
}

function whatItIs(
  base: string,
  model: AgentModel | DistilledModel,
  { form }: StoredManifest,
  done: FinishedIteration,
): string {
  return `This is ${whichModel(model, done)}: \`${base}\` with ${aboutForm[form].change}`;
}

function isDistilled(model: AgentModel | DistilledModel): model is DistilledModel {
  return 'record' in model;
}

/** Which of the experiment's models it is. */
function whichModel(model: AgentModel | DistilledModel, { config, iteration }: FinishedIteration): string {
  const { agent, role, madeIn } = model;
  if (!isDistilled(model))
    return `the ${role} model of agent ${agent} of ${agentCount(config)}, as iteration ${iteration} left it${madeInWords(madeIn, iteration)}`;
  const { agents } = model.record.dataset;
  return `the one model that ${agentCount(config)} agents were distilled into; it learnt from the answers of ${agents.length === 1 ? 'agent' : 'agents'} ${listed(agents.map(String))} in the training debates of iteration ${iteration}`;
}

const answersAlone = 'It answers alone, once; below it stands beside the debate of the group.';

function isOnTheHub(base: string): boolean {
  return modelLocation(base) === base && /^[\w.-]+\/[\w.-]+$/.test(base);
}

/** The base model as the card names it: on the hub, nobody else has a folder of this machine. */
export function baseIn(
  { hub }: Destination,
  model: Pick<AgentModel, 'agent'>,
  done: FinishedIteration,
): string {
  const base = baseOf(done, model).model_name_or_path;
  return hub === undefined ? base : (hub.baseModels.get(base) ?? basename(base));
}

function frontMatter(
  name: string,
  to: Destination,
  model: AgentModel | DistilledModel,
  done: FinishedIteration,
  facts: { readonly library_name: string; readonly tags: readonly string[]; readonly relation: string },
): object {
  const { library_name, tags, relation } = facts;
  return {
    ...(to.hub === undefined
      ? { base_model: baseIn(to, model, done) }
      : baseOnHub(to.hub, [baseOf(done, model).model_name_or_path], relation)),
    ...to.hub?.frontMatter,
    library_name,
    pipeline_tag: 'text-generation',
    tags: [...tags, 'colloquy', 'multiagent-finetuning'],
    ...modelIndex(name, model, done),
  };
}

/** Where the hub links a model to: the base models that it has. */
export function baseOnHub({ baseModels }: HubPlace, names: readonly string[], relation: string): object {
  const ids = [...new Set(names.flatMap((name) => baseModels.get(name) ?? []))];
  if (ids.length === 0) return {};
  return { base_model: ids.length === 1 ? ids[0] : ids, base_model_relation: relation };
}

function title(model: AgentModel | DistilledModel, { experiment, iteration }: FinishedIteration): string {
  const { agent, role } = model;
  if (isDistilled(model)) return `# ${experiment}, iteration ${iteration}: the group as one model`;
  return `# ${experiment}, iteration ${iteration}: ${role} model of agent ${agent}`;
}

function training(
  model: AgentModel | DistilledModel,
  manifest: StoredManifest,
  { experiment }: FinishedIteration,
): string[] {
  const { madeIn } = model;
  const distilled = isDistilled(model);
  const trainer = distilled
    ? objectives[model.record.dataset.objective ?? 'imitation'].trainer
    : 'SFTTrainer';
  return [
    `## Training\n\n${manifest.hosted === undefined ? `TRL's \`${trainer}\`` : "OpenAI's fine-tuning API"}, loss on the completion alone, on ${count(manifest.dataset.rows)} rows ` +
      `(${madeIn === null || distilled ? '' : `\`colloquy export ${experiment} --iteration ${madeIn}\` writes them; `}SHA-256 of the file ${manifest.dataset.sha256}), from ` +
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

export function evaluation(
  model: AgentModel | DistilledModel,
  { iteration, evaluations }: FinishedIteration,
): string[] {
  if (isDistilled(model)) return besideDebate(model.evaluation, evaluations.at(-1), model.tokens);
  const [first, last] = [evaluations[0], evaluations.at(-1)];
  return [
    `## Evaluation\n\n${count(last?.questions ?? 0)} held-out questions, ± one standard error: the agents together before any fine-tune of this experiment and after iteration ${iteration}. ` +
      '`single answer` is the mean over the agents, `debate` uses the models of every role.',
    accuracyTable([first, last].filter((each) => each !== undefined)),
  ];
}

function ending(manifest: StoredManifest, { config }: FinishedIteration, { hub }: Destination): string[] {
  return [
    `It was trained on dialogues in the words of Colloquy's prompts \`${config.prompts}\`; other words may get other answers.`,
    textTable(['made with', 'version'], Object.entries(manifest.versions)),
    hub?.licence ?? licenceSection,
  ];
}

function madeInWords(madeIn: number | null, iteration: number): string {
  if (madeIn === iteration) return '';
  return madeIn === null
    ? ' (older than the experiment, which had nothing for it to learn from)'
    : ` (trained in iteration ${madeIn}; since then there was nothing for it to learn from)`;
}

/** The figures in the form of https://huggingface.co/docs/hub/model-cards, as shares. */
export function modelIndex(
  name: string,
  model: AgentModel | DistilledModel,
  { experiment, config, evaluations }: FinishedIteration,
): object {
  const last = evaluations.at(-1);
  if (last === undefined) return {};
  const figures = { 'single answer': 'single', majority: 'majority', debate: 'debate' } as const;
  const index = {
    name: `${experiment}-${name}`,
    results: [
      {
        task: { type: 'text-generation' },
        dataset: { type: config.task.kind, name: `held-out questions of ${experiment}` },
        metrics: isDistilled(model)
          ? [{ type: 'accuracy', name: 'accuracy', value: model.evaluation.single.accuracy }]
          : Object.entries(figures).map(([what, figure]) => ({
              type: 'accuracy',
              name: `accuracy of the ${agentCount(config)} agents' ${what}`,
              value: last[figure].accuracy,
            })),
      },
    ],
  };
  return { 'model-index': [index] };
}

/** results.json: the evaluations of a card, for programs. */
export function resultsOf(
  { experiment, iteration, config, evaluations }: FinishedIteration,
  models: readonly (AgentModel | DistilledModel)[],
): Buffer {
  const { method, seed } = config;
  const distilled = models.find(isDistilled)?.evaluation;
  const results = { experiment, iteration, method, seed, evaluations, distilled };
  return Buffer.from(`${JSON.stringify(results, null, 2)}\n`);
}
