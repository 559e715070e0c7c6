/** Can the models of an experiment learn with its config, from how many rows, and in how many optimiser steps? Known before any model is asked a question. */
import { critic, generation } from '../algorithm/agents.ts';
import type { ConsensusLabels, Match } from '../algorithm/labelled-debate.ts';
import { learnerGroups, type Learning, methods } from '../algorithm/methods.ts';
import { compares, type LearningSettings, learntDatasets } from '../algorithm/objectives.ts';
import { baseModelsOf } from './agents.ts';
import { agentCount, type ExperimentConfig } from './experiment.ts';
import type { ConfigFault } from './faults.ts';
import { type ModelForm, mostVotes, objectiveOf } from './fine-tune.ts';

/** Which votes make the labels of an iteration, and how many a label has to have. */
export function consensusLabels(
  config: Pick<ExperimentConfig, 'label_votes' | 'min_votes' | 'max_votes' | 'rounds' | 'seed'>,
  iteration: number,
): ConsensusLabels {
  const { min_votes: minVotes, max_votes: maxVotes, rounds, seed } = config;
  const window = { minVotes, maxVotes };
  return config.label_votes === 'both' ? { ...window, allRounds: { rounds, seed, iteration } } : window;
}

/** The settings by which an iteration's datasets are made. */
export function learningSettings(
  config: Pick<
    ExperimentConfig,
    | 'method'
    | 'seed'
    | 'critic_weight'
    | 'critic_mixture'
    | 'data_matched'
    | 'fine_tune'
    | 'pairs'
    | 'min_pairs'
    | 'label_weight'
  >,
  iteration: number,
): LearningSettings {
  return {
    seed: config.seed,
    iteration,
    criticWeight: config.critic_weight,
    criticMixture: config.critic_mixture,
    dataMatched: config.data_matched,
    objectives: Object.fromEntries(
      methods[config.method].roles.map(({ name }) => [name, objectiveOf(config.fine_tune, name)]),
    ),
    pairs: config.pairs,
    minPairs: config.min_pairs,
    labelWeight: config.label_weight,
  };
}

type StepSettings = {
  readonly num_train_epochs: number;
  readonly per_device_train_batch_size: number;
  readonly gradient_accumulation_steps: number;
};

/** The optimiser steps of a fine-tune on this number of rows, as transformers counts them: an epoch ends with the step of its last rows. */
export function optimiserSteps(rows: number, settings: StepSettings): number {
  const batches = Math.ceil(rows / settings.per_device_train_batch_size);
  return Math.ceil(settings.num_train_epochs * Math.ceil(batches / settings.gradient_accumulation_steps));
}

/** Fewer steps than this are too few for AdamW with a warm-up to get anywhere: `allow_few_steps` allows them. */
const fewestSteps = 10;

/**
 * The rows that are expected before any question is asked, in words for people. Shares between those of the quickstart and of the paper's
 * own runs (about 330 rows of 500 questions); a model that answers better or worse gives more or fewer.
 */
const expectation =
  'of 20 dialogues, 13 keep an answer that equals the label, 2 are corrected, and 5 end with another answer';

/** The size that is expected of a dataset before any question is asked. */
type ExpectedDataset = { readonly role: string; readonly rows: number };

/**
 * The sizes of the datasets of the first model of each role, as the method makes them from debates that go by `expectation`.
 *
 * @param questions about which agents debate in an iteration
 */
export function expectedDatasets(
  learning: Learning,
  { agents, rounds, questions }: { agents: number; rounds: number; questions: number },
  settings: LearningSettings,
): ExpectedDataset[] {
  // STaR's turn has a second round where the first answer was wrong.
  const responses = learning.conversation === 'bootstrap' ? 2 : rounds;
  const debates = Array.from({ length: questions }, (_, index): Match => ({
    questionId: String(index).padStart(9, '0'),
    // 7 and 20 have no common factor, so each agent goes through all of the 20 courses.
    matches: Array.from({ length: agents }, (_, agent) =>
      expectedMatches((7 * (index + agent)) % 20, responses),
    ),
    cut: [],
    margin: 1,
  }));
  const [learners = []] = learnerGroups(agents, learning);
  const datasets = Object.entries(learntDatasets(learning, learners, debates, settings));
  return datasets.map(([role, { rows }]) => ({ role, rows: rows.length }));
}

function expectedMatches(course: number, responses: number): boolean[] {
  return Array.from(
    { length: responses },
    (_, round) => course < 13 || (course < 15 && round === responses - 1 && round > 0),
  );
}

/** A fine-tune that is expected, with the optimiser steps that it will have. */
export type ExpectedFineTune = ExpectedDataset & { readonly steps: number };

/**
 * The fine-tunes of the first learner in one iteration, one for each role. The sizes of the datasets are an estimate: see `expectation`.
 * Empty when nothing is trained.
 *
 * @param questions the number of training questions that are debated in an iteration; null when it is not known yet
 */
export function expectedFineTunes(config: ExperimentConfig, questions: number | null): ExpectedFineTune[] {
  const { learning } = methods[config.method];
  if (!trains(config) || learning === undefined || questions === null) return [];
  const { rounds } = config;
  const agents = agentCount(config);
  const datasets = expectedDatasets(learning, { agents, rounds, questions }, learningSettings(config, 1));
  return datasets.map((each) => ({ ...each, steps: optimiserSteps(each.rows, config.fine_tune) }));
}

function trains({ method, iterations }: ExperimentConfig): boolean {
  return methods[method].learning !== undefined && iterations > 0;
}

/**
 * Why models could not learn with this config, with the settings to change; empty when they can.
 *
 * @param questions see expectedFineTunes
 */
export function trainingFaults(config: ExperimentConfig, questions: number | null): ConfigFault[] {
  const fineTunes = expectedFineTunes(config, questions);
  const faults: ConfigFault[] = [];
  const few = fineTunes.filter(({ steps }) => steps < fewestSteps);
  if (few.length > 0 && !config.allow_few_steps)
    faults.push({ path: 'fine_tune', message: fewStepsText(few, config, questions) });
  return faults;
}

export const marginOfGold = 'margin is that of a vote, and with label_source: gold there is none. Set none';
export const oneRowOfKto =
  'kto compares the rows of an optimiser step with each other, and the step has 1 row. Set at least 2, or gradient_accumulation_steps';

/** Why the objectives of a config cannot be learnt by: what a role's debates cannot give them. Empty when they can. */
export function objectiveFaults(config: ExperimentConfig): ConfigFault[] {
  const { learning, roles } = methods[config.method];
  const { fine_tune: tune } = config;
  const path = 'fine_tune.objective';
  if (learning === undefined) return [];
  const named = typeof tune.objective === 'string' ? [] : Object.entries(tune.objective);
  const absent = named.filter(
    ([role, name]) => name !== 'imitation' && !roles.some((each) => each.name === role),
  );
  const comparing = roles.filter(({ name }) => compares(objectiveOf(tune, name)));
  const agents = agentCount(config);
  const faults: ConfigFault[] = absent.map(([role, name]) => ({
    path: `${path}.${role}`,
    message: `${name} was given, but the method ${config.method} has no ${role} model. Omit ${role}`,
  }));
  const { samples } = config;
  const sampled = [objectiveOf(tune, generation.name), config.distill?.objective ?? 'imitation'];
  if (samples !== undefined && !sampled.some(compares))
    faults.push({
      path: 'samples',
      message: `${samples} was given, but more first answers make pairs, and no model compares first answers. Omit it, or set fine_tune.objective to dpo or kto for generation models`,
    });
  if (comparing.length === 0) return faults;
  const given = [...new Set(comparing.map(({ name }) => objectiveOf(tune, name)))].join(' and ');
  if (learning.conversation === 'bootstrap')
    faults.push({
      path,
      message: `${given} compares answers of several agents, and the method ${config.method} has one answer and its rationale. Set objective: imitation`,
    });
  const learner = learning.own ?? learnerGroups(agents, learning)[0] ?? [];
  // A generation model also has its agents' samples to compare with.
  const alone = comparing.some(({ name }) => samples === undefined || name !== generation.name);
  if (alone && (config.pairs === 'own' ? learner.length : agents) < 2 && learning.conversation === 'debate')
    faults.push({
      path: config.pairs === 'own' && agents > 1 ? 'pairs' : 'agents',
      message: `${given} compares two answers to a question, and with pairs: ${config.pairs} a model has only one. ${agents > 1 ? 'Set pairs: group' : 'Have at least 2 agents'}`,
    });
  const all = mostVotes(config, agents);
  const last = config.label_votes === 'last';
  const voting = comparing.filter(
    ({ name }) => name === critic.name || (samples === undefined && (!last || config.rounds === 1)),
  );
  if (voting.length > 0 && config.label_source === 'consensus' && config.min_votes === all && agents > 1)
    faults.push({
      path: 'min_votes',
      message: `with ${all} votes of ${last ? `${agents} agents no last answer` : `${all} no answer`} differs from the label, and so ${voting.map(({ name }) => `a ${name} model`).join(' and ')} would have no pairs. Set at most ${all - 1}, or objective: imitation for it`,
    });
  if (config.label_weight === 'margin' && config.label_source === 'gold')
    faults.push({
      path: 'label_weight',
      message: marginOfGold,
    });
  const rows = tune.per_device_train_batch_size * tune.gradient_accumulation_steps;
  if (rows === 1 && comparing.some(({ name }) => objectiveOf(tune, name) === 'kto'))
    faults.push({
      path: 'fine_tune.per_device_train_batch_size',
      message: oneRowOfKto,
    });
  return faults;
}

/**
 * Why an experiment cannot use the endpoints of its agents; none when it can.
 *
 * @param served the forms of fine-tuned models that an endpoint serves, by its name
 * @param made the form of the models that its trainer makes
 */
export function servingFaults(
  config: ExperimentConfig,
  served: (endpoint: string) => readonly ModelForm[],
  made: ModelForm,
): ConfigFault[] {
  if (config.iterations === 0) return [];
  return baseModelsOf(config).flatMap(({ model: { endpoint }, agents, path }): ConfigFault[] => {
    const forms = served(endpoint);
    if (agents.length === 0 || forms.includes(made)) return [];
    return [{ path: `${path}.endpoint`, message: unservedText(endpoint, forms, made) }];
  });
}

function unservedText(endpoint: string, forms: readonly ModelForm[], made: ModelForm): string {
  if (made === 'hosted')
    return `the trainer is a server that keeps the models which it trains, and ${endpoint} is not that server: take an endpoint of kind openai with the trainer's url, or another trainer`;
  if (forms.length === 0 || forms.includes('hosted'))
    return `${endpoint} serves no fine-tuned models but those that its own server trained: take a trainer of kind openai with the same url, an endpoint of kind local or vllm, or iterations: 0 to measure the base model alone`;
  return `${endpoint} serves LoRA adapters, and no whole models such as fine_tune.method: full makes: take an endpoint of kind vllm without url (the worker starts it) or of kind local, or fine_tune.method: lora with a learning_rate of about 2e-4`;
}

function fewStepsText(
  few: readonly ExpectedFineTune[],
  { fine_tune: settings }: ExperimentConfig,
  questions: number | null,
): string {
  const rowsOfStep = settings.per_device_train_batch_size * settings.gradient_accumulation_steps;
  const models = few.map(
    ({ role, rows, steps }) => `a ${role} model would have about ${rows} rows and ${steps} optimiser steps`,
  );
  return (
    `${models.join(', ')}, and fewer than ${fewestSteps} hardly change a model ` +
    `(${questions} training questions, ${rowsOfStep} rows a step, ${settings.num_train_epochs} epochs; expected: ${expectation}). ` +
    'Lower gradient_accumulation_steps or per_device_train_batch_size, raise num_train_epochs or task.train_size, ' +
    'or set allow_few_steps: true (at the top level of the config, not within fine_tune)'
  );
}
