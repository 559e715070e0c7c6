import { type Agent, roles } from '../algorithm/agents.ts';
import type { DatasetsOfAgent } from '../activities/build-datasets.ts';
import type { FineTuned } from '../activities/fine-tune.ts';
import type { ModelRef } from '../store/model-ref.ts';
import { activities } from './activity-proxies.ts';
import type { ExperimentState } from './experiment-state.ts';
import { inWindow } from './in-window.ts';
import type { RunControl } from './run-control.ts';

/**
 * Fine-tunes the generation and the critic model of every agent on its own dataset (section 2.3 of the paper). All 2N fine-tunes
 * are pending at once, so that as many run as there are GPUs.
 */
export async function fineTuneAgents(
  { plan, iteration, agents }: ExperimentState,
  control: RunControl,
  datasets: readonly DatasetsOfAgent[],
): Promise<{ agents: readonly Agent<ModelRef>[]; fineTunes: readonly FineTuned[] }> {
  const models = datasets.flatMap((ofAgent) =>
    roles.map((role) => ({ agent: ofAgent.agent, role, dataset: ofAgent[role] })),
  );
  control.enter('fine-tuning', { unit: 'models', total: models.length });
  const fineTunes = await inWindow(models.length, models.length, async (index): Promise<FineTuned> => {
    const { agent, role, dataset } = at(models, index);
    const current = at(agents, agent - 1)[role];
    // Nothing to learn from: the model stays as it is, and the result says so.
    if (dataset.rows === 0)
      return { agent, role, model: current, trained: false, rows: 0, steps: 0, tokens: 0, finalLoss: null };
    const init: ModelRef = plan.initFrom === 'base' ? { kind: 'base' } : current;
    const activityId = `finetune-i${iteration}-agent${agent}-${role}`;
    const fineTuned = await control.step(activityId, () =>
      activities.fineTune.executeWithOptions(
        { activityId, summary: `${role} model of agent ${agent}, on ${dataset.rows} dialogues` },
        [{ experiment: plan.experiment, iteration, agent, role, dataset, init }],
      ),
    );
    if (fineTuned.finalLoss !== null) control.learned({ loss: fineTuned.finalLoss, iteration, agent, role });
    control.done();
    return fineTuned;
  });
  return {
    fineTunes,
    agents: agents.map((agent) =>
      fineTunes.filter((each) => each.agent === agent.number).reduce(withModel, agent),
    ),
  };
}

function withModel(agent: Agent<ModelRef>, { role, model }: FineTuned): Agent<ModelRef> {
  return { ...agent, [role]: model };
}

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new RangeError(`No item ${index} among ${items.length}`);
  return item;
}
