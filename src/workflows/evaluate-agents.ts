import type { Evaluation } from '../algorithm/evaluation.ts';
import { activities } from './activity-proxies.ts';
import { debateQuestions } from './debate-questions.ts';
import type { ExperimentState } from './experiment-state.ts';
import type { RunControl } from './run-control.ts';

/** Debates the held-out questions and compares the answers with the gold ones: a single answer, the majority, the debate. */
export async function evaluateAgents(state: ExperimentState, control: RunControl): Promise<Evaluation> {
  const { plan, iteration } = state;
  const began = Date.now();
  const { tokens } = await debateQuestions(state, control, 'heldout');
  return control.step(`evaluate-i${iteration}`, () =>
    activities.evaluate.executeWithOptions(
      { activityId: `evaluate-i${iteration}`, summary: 'compare with the gold answers' },
      [
        {
          experiment: plan.experiment,
          iteration,
          shards: plan.heldout.shards,
          tokens,
          seconds: (Date.now() - began) / 1000,
        },
      ],
    ),
  );
}
