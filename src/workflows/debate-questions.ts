import type { ShardSummary } from '../activities/shard-summary.ts';
import { activities } from './activity-proxies.ts';
import type { ExperimentState } from './experiment-state.ts';
import { inWindow } from './in-window.ts';
import type { RunControl } from './run-control.ts';

/** So many shards are pending at once, for the workers to share. Far below Temporal's limit of 2,000 pending activities. */
const window = 64;

/** Debates every question of a split, a shard of questions for each activity. Returns the shards' counts, added up. */
export async function debateQuestions(
  { plan, iteration, agents }: ExperimentState,
  control: RunControl,
  split: 'train' | 'heldout',
): Promise<ShardSummary> {
  const { shards, questions } = plan[split];
  control.enter(split === 'train' ? 'debating' : 'evaluating', { unit: 'shards', total: shards, questions });
  const summaries = await inWindow(window, shards, async (shard) => {
    const activityId = `debate-i${iteration}-${split}-s${String(shard).padStart(3, '0')}`;
    const summary = await control.step(activityId, () =>
      activities.debate.executeWithOptions(
        {
          activityId,
          summary: `${split === 'train' ? 'training' : 'held-out'} questions, shard ${shard + 1} of ${shards}`,
        },
        [{ experiment: plan.experiment, iteration, split, shard, agents }],
      ),
    );
    control.done();
    return summary;
  });
  return summaries.reduce(add);
}

function add(a: ShardSummary, b: ShardSummary): ShardSummary {
  return {
    consensus: {
      questions: a.consensus.questions + b.consensus.questions,
      unanimous: a.consensus.unanimous + b.consensus.unanimous,
      ties: a.consensus.ties + b.consensus.ties,
      withoutLabel: a.consensus.withoutLabel + b.consensus.withoutLabel,
      unparsableAnswers: a.consensus.unparsableAnswers + b.consensus.unparsableAnswers,
    },
    tokens: {
      prompt: a.tokens.prompt + b.tokens.prompt,
      completion: a.tokens.completion + b.tokens.completion,
    },
  };
}
