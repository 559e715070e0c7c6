import type { BuiltDataset } from '../activities/steps/build-datasets.ts';
import type { ShardSummary } from '../activities/steps/debate.ts';
import type { FineTuned } from '../activities/steps/fine-tune.ts';
import { type Agent, modelOf } from '../algorithm/agents.ts';
import { noneCutOff } from '../algorithm/measures/cost.ts';
import type { Model } from '../store/models.ts';
import type { ExperimentResult } from '../store/records/result.ts';
import type { RunControl } from './control.ts';
import { debateTraining, evaluateAgents, validateAgents } from './debate-questions.ts';
import { inWindow } from './temporal.ts';
import type { ExperimentState } from './progress.ts';
import { steps } from './steps.ts';

/**
 * One iteration (section 2 of the paper): the agents debate the training questions, the debates become the datasets of each model,
 * each model is fine-tuned on its own dataset, and the new agents are evaluated on the held-out questions.
 *
 * @param again an artifact was found damaged or gone, which may be a model that another experiment made and removed (`keep: last`)
 */
export async function iterate(
  state: ExperimentState,
  control: RunControl,
  again: boolean,
): Promise<ExperimentState> {
  const beganDebates = Date.now();
  // mutation: debates
  const debates = await debateTraining(state, control);
  const beganDatasets = Date.now();
  const datasets = await buildDatasets(state, control);
  const beganFineTunes = Date.now();
  const { agents, fineTunes } = await fineTuneAgents(state, control, datasets, again);
  // mutation: record
  await recordIteration(state, control, debates, datasets, fineTunes, {
    debate: (beganDatasets - beganDebates) / 1000,
    datasets: (beganFineTunes - beganDatasets) / 1000,
    fineTune: (Date.now() - beganFineTunes) / 1000,
  });
  const evaluation = await evaluateAgents({ ...state, agents }, control);
  const validated = await validateAgents({ ...state, agents }, control);
  await pruneModels(state, agents, validated, control);
  return {
    ...state,
    ...validated,
    iteration: state.iteration + 1,
    evaluations: [...state.evaluations, evaluation],
  };
}

/** With `keep: last`, the models that neither the next iteration nor the best one has are removed: those of the iteration before, and what was rolled back. */
async function pruneModels(
  { plan, iteration, agents: before, best: bestBefore }: ExperimentState,
  made: ExperimentState['agents'],
  { agents, best }: Pick<ExperimentState, 'agents' | 'best'>,
  control: RunControl,
): Promise<void> {
  if (plan.keep !== 'last') return;
  const kept = keysOf([...agents, ...(best?.agents ?? [])]);
  const keys = keysOf([...before, ...(bestBefore?.agents ?? []), ...made]).filter(
    (key) => !kept.includes(key),
  );
  if (keys.length > 0)
    await control.step(steps.pruneModels({ experiment: plan.experiment, iteration, keys }));
}

/** The content addresses of the agents' models that were made here, each once. */
export function keysOf(agents: readonly Agent<Model>[]): string[] {
  const models = agents.flatMap((agent) => Object.values(agent.models));
  return [...new Set(models.flatMap(({ tuned }) => tuned?.key ?? []))];
}

async function buildDatasets(
  { plan, iteration }: ExperimentState,
  control: RunControl,
): Promise<LearnersDatasets[]> {
  const { experiment, learners, train } = plan;
  control.enter('building datasets', { unit: 'steps', total: learners.length });
  return inWindow(learners.length, learners.length, async (index) => {
    const agents = learners[index] ?? [];
    const datasets = await control.step(
      steps.buildDatasets({ experiment, iteration, agents, shards: train.shards }),
    );
    control.done();
    return { agents, datasets };
  });
}

/** The datasets of some agents that share their models, or of one agent that has its own. */
type LearnersDatasets = {
  readonly agents: readonly number[];
  readonly datasets: readonly BuiltDataset[];
};

/**
 * Fine-tunes each model on its own dataset (section 2.3 of the paper). All are pending at once, so that as many run as there are
 * GPUs. Agents that share a model all have the new one afterwards.
 *
 * @param needed whether the files of models have to be there, even of those that `keep: last` removed: one was looked for and not found
 */
async function fineTuneAgents(
  { plan, iteration, agents }: ExperimentState,
  control: RunControl,
  learners: readonly LearnersDatasets[],
  needed: boolean,
): Promise<{ agents: readonly Agent<Model>[]; fineTunes: readonly FineTuned[] }> {
  const models = learners.flatMap(({ agents: sharers, datasets }) =>
    datasets.map(({ role, rows, objective }) => ({
      sharers,
      agent: at(sharers, 0),
      role,
      dataset: rows,
      more: { ...(objective === undefined ? {} : { objective }), ...(needed ? { needed } : {}) },
    })),
  );
  control.enter('fine-tuning', { unit: 'models', total: models.length });
  // mutation: fine-tunes
  const fineTunes = await inWindow(models.length, models.length, async (index): Promise<FineTuned> => {
    const { sharers, agent, role, dataset, more } = at(models, index);
    const current = modelOf(at(agents, agent - 1), role);
    // Nothing to learn from: the model stays as it is, and the result says so.
    if (dataset.rows === 0) {
      control.done();
      return { ...untrained, agent, role, model: current };
    }
    const init = plan.initFrom === 'base' ? { ...current, tuned: null } : current;
    const fineTuned = await control.step(
      steps.fineTune(
        { experiment: plan.experiment, iteration, agent, role, dataset, init, ...more },
        sharers,
      ),
    );
    const { finalLoss: loss, droppedRows = 0 } = fineTuned;
    if (loss !== null) control.learned({ loss, iteration, agent, role }, droppedRows);
    control.done();
    return fineTuned;
  });
  return {
    fineTunes,
    agents: agents.map((agent) =>
      models.reduce(
        (current, { sharers }, index) =>
          sharers.includes(agent.number) ? withModel(current, at(fineTunes, index)) : current,
        agent,
      ),
    ),
  };
}

/** The outcome of a fine-tune that has no rows: nothing was trained. */
export const untrained = {
  trained: false,
  rows: 0,
  steps: 0,
  tokens: 0,
  finalLoss: null,
  droppedRows: 0,
  losses: [],
  peakLearningRate: null,
  moved: null,
} as const;

function withModel(agent: Agent<Model>, { role, model }: FineTuned): Agent<Model> {
  return { ...agent, models: { ...agent.models, [role]: model } };
}

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new RangeError(`No item ${index} among ${items.length}`);
  return item;
}

async function recordIteration(
  { plan, iteration }: ExperimentState,
  control: RunControl,
  { consensus, tokens, cutOff = noneCutOff, earlyStop }: ShardSummary,
  datasets: readonly LearnersDatasets[],
  fineTunes: readonly FineTuned[],
  seconds: { readonly debate: number; readonly datasets: number; readonly fineTune: number },
): Promise<void> {
  const record = steps.recordIteration({
    experiment: plan.experiment,
    iteration,
    consensus,
    cutOff,
    datasets: datasets.flatMap(({ agents, datasets: built }) =>
      built.map(({ role, rows, parts, cut = 0, objective }) => ({
        agents: [...agents],
        role,
        rows: rows.rows,
        parts,
        cut,
        ...(objective === undefined ? {} : { objective }),
      })),
    ),
    fineTunes: fineTunes.map(fineTuneRecord),
    tokens: {
      debate: { prompt: tokens.prompt, completion: tokens.completion },
      fineTune: fineTunes.reduce((sum, each) => sum + each.tokens, 0),
    },
    seconds,
    ...(earlyStop === undefined ? {} : { earlyStop }),
  });
  control.warned(await control.step(record));
}

/** A fine-tune as the record of its iteration has it. */
export function fineTuneRecord({
  agent,
  role,
  model,
  trained,
  droppedRows = 0,
  losses = [],
  peakLearningRate = null,
  moved = null,
  rewards,
  ...rest
}: FineTuned): ExperimentResult['iterations'][number]['fineTunes'][number] {
  return {
    agent,
    role,
    model: trained ? (model.tuned?.key ?? null) : null,
    rows: rest.rows,
    steps: rest.steps,
    finalLoss: rest.finalLoss,
    droppedRows,
    losses: [...losses],
    peakLearningRate,
    moved,
    ...(rewards === undefined ? {} : { rewards }),
  };
}
