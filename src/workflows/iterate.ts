import type { ShardSummary } from '../activities/steps/debate.ts';
import type { FineTuned } from '../activities/steps/fine-tune.ts';
import { noneCutOff } from '../algorithm/finish-reasons.ts';
import type { RunControl } from './control.ts';
import { debateQuestions, evaluateAgents } from './debate-questions.ts';
import { inWindow } from './activity-proxies.ts';
import { fineTuneAgents, type LearnersDatasets } from './fine-tune-agents.ts';
import type { ExperimentState } from './progress.ts';
import { keysOf } from './start.ts';
import { steps } from './steps.ts';

/**
 * One iteration (section 2 of the paper): the agents debate the training questions, the debates become the datasets of each model,
 * each model is fine-tuned on its own dataset, and the new agents are evaluated on the held-out questions.
 */
export async function iterate(state: ExperimentState, control: RunControl): Promise<ExperimentState> {
  const beganDebates = Date.now();
  // mutation: debates
  const debates = await debateQuestions(state, control, 'train');
  const beganDatasets = Date.now();
  const datasets = await buildDatasets(state, control);
  const beganFineTunes = Date.now();
  const { agents, fineTunes } = await fineTuneAgents(state, control, datasets);
  // mutation: record
  await recordIteration(state, control, debates, datasets, fineTunes, {
    debate: (beganDatasets - beganDebates) / 1000,
    datasets: (beganFineTunes - beganDatasets) / 1000,
    fineTune: (Date.now() - beganFineTunes) / 1000,
  });
  const evaluation = await evaluateAgents({ ...state, agents }, control);
  await pruneModels(state, agents, control);
  return {
    ...state,
    iteration: state.iteration + 1,
    agents,
    evaluations: [...state.evaluations, evaluation],
  };
}

/** With `keep: last`, the models of the iteration before are removed. */
async function pruneModels(
  { plan, iteration, agents: before }: ExperimentState,
  agents: ExperimentState['agents'],
  control: RunControl,
): Promise<void> {
  if (plan.keep !== 'last') return;
  const kept = keysOf(agents);
  const keys = keysOf(before).filter((key) => !kept.includes(key));
  if (keys.length > 0)
    await control.step(steps.pruneModels({ experiment: plan.experiment, iteration, keys }));
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

async function recordIteration(
  { plan, iteration }: ExperimentState,
  control: RunControl,
  { consensus, tokens, cutOff = noneCutOff }: ShardSummary,
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
    fineTunes: fineTunes.map(
      ({
        agent,
        role,
        model,
        trained,
        droppedRows = 0,
        losses = [],
        peakLearningRate = null,
        moved = null,
        rewards,
        ...learnt
      }) => ({
        agent,
        role,
        model: trained ? (model.tuned?.key ?? null) : null,
        rows: learnt.rows,
        steps: learnt.steps,
        finalLoss: learnt.finalLoss,
        droppedRows,
        losses: [...losses],
        peakLearningRate,
        moved,
        ...(rewards === undefined ? {} : { rewards }),
      }),
    ),
    tokens: {
      debate: { prompt: tokens.prompt, completion: tokens.completion },
      fineTune: fineTunes.reduce((sum, each) => sum + each.tokens, 0),
    },
    seconds,
  });
  control.warned(await control.step(record));
}
