/** Can endpoint and trainer do what this experiment will ask, and what does it cost that they cannot do? */
import { randomUUID } from 'node:crypto';
import type { AnswerRules, Question } from '../../algorithm/answer.ts';
import { debate } from '../../algorithm/debate.ts';
import { madeUpRows } from '../../algorithm/dataset.ts';
import { methods, modelsOfAnIteration } from '../../algorithm/methods.ts';
import type { Message } from '../../algorithm/agents.ts';
import type { BaseModelOfConfig } from '../../config/agents.ts';
import { templateVariables } from '../../config/server-contract.ts';
import { agentCount, type ExperimentConfig } from '../../config/experiment.ts';
import type { Endpoint } from '../../engines/endpoint/endpoint.ts';
import type { Needs, Shortcoming } from '../../engines/endpoint/examination.ts';
import type { Trainers } from '../../engines/trainer/open.ts';
import { readPage } from '../../store/files/rows.ts';
import { heldOutQuestionSchema } from '../../store/records/rows.ts';
import { removeCheckpoints } from '../../store/models.ts';
import type { ExperimentFiles, Store } from '../../store/store.ts';
import { debateSettings } from './conversation.ts';

/**
 * Asks the endpoint of a base model a few short requests of the experiment's own shape.
 *
 * @param files of an experiment whose questions are stored
 * @throws as `Endpoint.examine` does
 */
export async function examineEndpoint(
  config: ExperimentConfig,
  asked: BaseModelOfConfig,
  files: ExperimentFiles,
  endpoint: Endpoint,
  answers: AnswerRules,
  store: Store,
  signal: AbortSignal,
): Promise<Shortcoming[]> {
  const questions = await readPage(files.questions('heldout'), heldOutQuestionSchema, 0, config.shard_size);
  const longest = questions.toSorted((a, b) => b.text.length - a.text.length)[0];
  const needs: Omit<Needs, 'template'> = {
    maxTokens: asked.maxTokens,
    longest: await longestRequest(config, longest ?? { id: 'none', text: 'What is 1+1?' }, answers, asked),
    scores: asked.agents.length > 0 && config.diversity.questions > 0,
  };
  const lacks = new Map<string, Shortcoming>();
  // What the server lacks in all ways of asking is reported once.
  for (const enable_thinking of asked.thinking)
    for (const each of await endpoint.examine(
      { ...needs, template: templateVariables({ enable_thinking }) },
      signal,
    ))
      lacks.set(each.says, each);
  // What ended experiments of this store left on the server, and workers that are gone; what this worker has loaded may be in use.
  await endpoint.unload(
    async (digits, loadedHere) => !loadedHere && (await store.blobs.list(`models/${digits}`)).length > 0,
    signal,
  );
  return [...lacks.values()];
}

/**
 * What the training of a base model cannot use is found now, and not after the debates; and so is what its server cannot load: a made-up adapter of the
 * experiment's rank and modules is written, loaded, asked and unloaded.
 *
 * @throws TrainingImpossible, AdapterNotLoaded, or the errors of the endpoint and the trainer
 */
export async function requireTrainable(
  { method, prompts, rounds, trainer, fine_tune: settings }: ExperimentConfig,
  { model, agents, thinking }: BaseModelOfConfig,
  endpoint: Endpoint,
  trainers: Trainers,
  store: Store,
  signal: AbortSignal,
): Promise<Shortcoming[]> {
  const { lora_r, lora_alpha } = settings;
  const lora_target_modules = settings.method === 'full' ? null : settings.lora_target_modules;
  const examples = thinking.flatMap((enable_thinking) => {
    const variables = templateVariables({ enable_thinking });
    return madeUpRows(prompts, rounds).map((row) => ({ ...row, ...variables }));
  });
  const quantised = settings.method === 'qlora' ? { load_in_4bit: true } : {};
  const check = { examples, lora_target_modules, ...quantised };
  const chosen = trainers.for(trainer);
  const made = chosen.form(settings);
  // A server that trains is not asked whether others could.
  if (made !== 'hosted' && (await endpoint.checkTraining(check, signal))) return [];
  const name = { name: model.model_name_or_path };
  if (made !== 'adapter') {
    await chosen.check(name, check, signal);
    return [];
  }
  const key = `trial-${randomUUID()}`;
  const folder = store.checkpoints(key);
  try {
    const made_up_adapter = { folder, lora_r, lora_alpha };
    await chosen.check(name, { ...check, made_up_adapter }, signal);
    return [
      ...(await endpoint.tryAdapter(folder, modelsOfAnIteration(agents.length, methods[method]), signal)),
    ];
  } finally {
    await removeCheckpoints(store, key);
  }
}

/** What agents answer in a debate that is held to see its requests. */
const madeUpAnswer = '\\boxed{80808}';

/** Of the requests to a base model in a debate on this question, the one whose prompt has the most answers in it. */
export async function longestRequest(
  config: ExperimentConfig,
  { id, text }: Question,
  answers: AnswerRules,
  { agents: whose, summarises }: Pick<BaseModelOfConfig, 'agents' | 'summarises'>,
): Promise<Needs['longest']> {
  const requests: Needs['longest'][] = [];
  const models = Object.fromEntries(methods[config.method].roles.map(({ name }) => [name, name]));
  const agents = Array.from({ length: agentCount(config) }, (_, index) => ({ number: index + 1, models }));
  const settings = { ...debateSettings(config, 0), stopWhenUnanimous: false };
  await debate(
    { id, text },
    { agents, summariser: 'summariser' },
    settings,
    async ({ speaker, agent, messages }) => {
      if (speaker === 'summariser' ? summarises : whose.includes(agent))
        requests.push({ messages, answers: answersIn(messages) });
      return { text: madeUpAnswer, finishReason: 'stop' };
    },
    answers,
  );
  return requests.reduce((most, each) => (each.answers >= most.answers ? each : most), {
    messages: [{ role: 'user', content: text }],
    answers: 0,
  });
}

function answersIn(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => sum + content.split(madeUpAnswer).length - 1, 0);
}
