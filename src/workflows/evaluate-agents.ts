import type { Evaluation } from '../algorithm/evaluation.ts';
import { votesAtEqualTokens } from '../algorithm/measures/cost.ts';
import type { MeasuredSet } from '../store/store.ts';
import { debateQuestions } from './debate-questions.ts';
import type { RunControl } from './control.ts';
import type { ExperimentState } from './progress.ts';
import { steps } from './steps.ts';

/**
 * Debates the held-out questions and compares the answers with the gold ones: a single answer, the majority, the debate. Beside a debate,
 * the majority of as many first answers as cost the same; and how diverse the agents are.
 */
export async function evaluateAgents(state: ExperimentState, control: RunControl): Promise<Evaluation> {
  const { evaluation, tokens } = await measure(state, control, 'heldout');
  const votes = state.plan.equalTokens ? votesAtEqualTokens(state.agents.length, tokens) : null;
  if (votes !== null) await measure(state, control, 'vote', votes);
  const { plan, iteration, agents } = state;
  if (plan.diversity)
    await control.step(
      steps.measureDiversity({
        experiment: plan.experiment,
        iteration,
        shards: plan.heldout.shards,
        agents,
      }),
    );
  return evaluation;
}

/** Zero-shot transfer (section 4 of the paper): the agents answer the held-out questions of other tasks than they learnt from. */
export async function transferAgents(state: ExperimentState, control: RunControl): Promise<void> {
  for (const { name } of state.plan.transfer) await measure(state, control, `transfer-${name}`);
}

async function measure(state: ExperimentState, control: RunControl, split: MeasuredSet, votes?: number) {
  const { plan, iteration } = state;
  const began = Date.now();
  const { tokens } = await debateQuestions(state, control, split, votes);
  const { warnings, ...evaluation } = await control.step(
    steps.evaluate({
      experiment: plan.experiment,
      iteration,
      split,
      ...(votes === undefined ? {} : { votes }),
      tokens: { prompt: tokens.prompt, completion: tokens.completion },
      seconds: (Date.now() - began) / 1000,
    }),
  );
  if (split === 'heldout') control.warned(warnings);
  return { evaluation, tokens };
}
