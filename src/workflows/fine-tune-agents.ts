import type { BuiltDataset } from '../activities/steps/build-datasets.ts';
import { type Agent, modelOf } from '../algorithm/agents.ts';
import type { FineTuned } from '../activities/steps/fine-tune.ts';
import type { Model } from '../store/models.ts';
import type { ExperimentState } from './progress.ts';
import { inWindow } from './activity-proxies.ts';
import type { RunControl } from './control.ts';
import { steps } from './steps.ts';

/** The datasets of some agents that share their models, or of one agent that has its own. */
export type LearnersDatasets = {
  readonly agents: readonly number[];
  readonly datasets: readonly BuiltDataset[];
};

/**
 * Fine-tunes each model on its own dataset (section 2.3 of the paper). All are pending at once, so that as many run as there are
 * GPUs. Agents that share a model all have the new one afterwards.
 */
export async function fineTuneAgents(
  { plan, iteration, agents }: ExperimentState,
  control: RunControl,
  learners: readonly LearnersDatasets[],
): Promise<{ agents: readonly Agent<Model>[]; fineTunes: readonly FineTuned[] }> {
  const models = learners.flatMap(({ agents: sharers, datasets }) =>
    datasets.map(({ role, rows, objective }) => ({
      sharers,
      agent: at(sharers, 0),
      role,
      dataset: rows,
      learnt: objective === undefined ? {} : { objective },
    })),
  );
  control.enter('fine-tuning', { unit: 'models', total: models.length });
  // mutation: fine-tunes
  const fineTunes = await inWindow(models.length, models.length, async (index): Promise<FineTuned> => {
    const { sharers, agent, role, dataset, learnt } = at(models, index);
    const current = modelOf(at(agents, agent - 1), role);
    // Nothing to learn from: the model stays as it is, and the result says so.
    if (dataset.rows === 0) {
      control.done();
      return { ...untrained, agent, role, model: current };
    }
    const init = plan.initFrom === 'base' ? { ...current, tuned: null } : current;
    const fineTuned = await control.step(
      steps.fineTune(
        { experiment: plan.experiment, iteration, agent, role, dataset, init, ...learnt },
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

const untrained = {
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
