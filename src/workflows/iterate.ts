import { activities } from './activity-proxies.ts';
import type { RunControl } from './control.ts';
import { debateQuestions, inWindow } from './debate-questions.ts';
import { evaluateAgents } from './evaluate-agents.ts';
import { fineTuneAgents, type LearnersDatasets, whose } from './fine-tune-agents.ts';
import type { ExperimentState } from './progress.ts';

/** One iteration (section 2 of the paper): the agents debate, each is fine-tuned on its own side of the debates, and is measured. */
export async function iterate(state: ExperimentState, control: RunControl): Promise<ExperimentState> {
  const beganDebates = Date.now();
  const debates = await debateQuestions(state, control, 'train');
  const beganDatasets = Date.now();
  const datasets = await buildDatasets(state, control);
  const beganFineTunes = Date.now();
  const { agents, fineTunes } = await fineTuneAgents(state, control, datasets);
  const ended = Date.now();
  await recordIteration(state, control, {
    consensus: debates.consensus,
    datasets: datasets.flatMap(({ agents: learners, datasets: built }) =>
      built.map(({ role, rows, parts }) => ({ agents: [...learners], role, rows: rows.rows, parts })),
    ),
    fineTunes: fineTunes.map(({ agent, role, model, trained, rows, steps, finalLoss }) => ({
      agent,
      role,
      model: trained ? (model.tuned?.key ?? null) : null,
      rows,
      steps,
      finalLoss,
    })),
    tokens: {
      debate: { prompt: debates.tokens.prompt, completion: debates.tokens.completion },
      fineTune: fineTunes.reduce((sum, { tokens }) => sum + tokens, 0),
    },
    seconds: {
      debate: (beganDatasets - beganDebates) / 1000,
      datasets: (beganFineTunes - beganDatasets) / 1000,
      fineTune: (ended - beganFineTunes) / 1000,
    },
  });
  const evaluation = await evaluateAgents({ ...state, agents }, control);
  return {
    ...state,
    iteration: state.iteration + 1,
    agents,
    evaluations: [...state.evaluations, evaluation],
  };
}

async function buildDatasets(state: ExperimentState, control: RunControl): Promise<LearnersDatasets[]> {
  const { plan, iteration } = state;
  const { learners } = plan;
  control.enter('building datasets', { unit: 'steps', total: learners.length });
  return inWindow(learners.length, learners.length, async (index) => {
    const agents = learners[index] ?? [];
    const activityId = `datasets-i${iteration}-agent${agents[0]}`;
    const datasets = await control.step(activityId, () =>
      activities.buildDatasets.executeWithOptions({ activityId, summary: `datasets of ${whose(agents)}` }, [
        { experiment: plan.experiment, iteration, agents, shards: plan.train.shards },
      ]),
    );
    control.done();
    return { agents, datasets };
  });
}

type IterationFigures = Omit<Parameters<typeof activities.recordIteration>[0], 'experiment' | 'iteration'>;

async function recordIteration(
  { plan, iteration }: ExperimentState,
  control: RunControl,
  figures: IterationFigures,
): Promise<void> {
  await control.step(`record-i${iteration}`, () =>
    activities.recordIteration.executeWithOptions(
      { activityId: `record-i${iteration}`, summary: 'sizes, tokens, seconds' },
      [{ experiment: plan.experiment, iteration, ...figures }],
    ),
  );
}
