import type { Extent, Plan } from '../activities/prepare.ts';
import type { ShardSummary } from '../activities/shard-summary.ts';
import type { Split } from '../store/experiment-files.ts';
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
  split: Split,
  votes?: number,
): Promise<ShardSummary> {
  const { shards, questions } = extentOf(plan, split);
  control.enter(split === 'train' ? 'debating' : 'evaluating', { unit: 'shards', total: shards, questions });
  const summaries = await inWindow(window, shards, async (shard) => {
    const activityId = `debate-i${iteration}-${split}-s${String(shard).padStart(3, '0')}`;
    const summary = await control.step(activityId, () =>
      activities.debate.executeWithOptions(
        {
          activityId,
          summary: `${named(split)}, shard ${shard + 1} of ${shards}`,
        },
        [
          {
            experiment: plan.experiment,
            iteration,
            split,
            shard,
            agents,
            ...(votes === undefined ? {} : { votes }),
          },
        ],
      ),
    );
    control.done();
    return summary;
  });
  return summaries.reduce(add);
}

function extentOf(plan: Plan, split: Split): Extent {
  if (split === 'train') return plan.train;
  if (split === 'heldout' || split === 'vote') return plan.heldout;
  return plan.transfer.find(({ name }) => split === `transfer-${name}`) ?? { questions: 0, shards: 0 };
}

/** For people to read. */
function named(split: Split): string {
  if (split === 'train') return 'training questions';
  if (split === 'heldout') return 'held-out questions';
  return split === 'vote'
    ? 'more first answers to held-out questions'
    : `questions of ${split.slice('transfer-'.length)}`;
}

function add(a: ShardSummary, b: ShardSummary): ShardSummary {
  return {
    consensus: {
      questions: a.consensus.questions + b.consensus.questions,
      unanimous: a.consensus.unanimous + b.consensus.unanimous,
      ties: a.consensus.ties + b.consensus.ties,
      withoutLabel: a.consensus.withoutLabel + b.consensus.withoutLabel,
      unparsableAnswers: a.consensus.unparsableAnswers + b.consensus.unparsableAnswers,
      truncatedPrompts: a.consensus.truncatedPrompts + b.consensus.truncatedPrompts,
    },
    tokens: {
      prompt: a.tokens.prompt + b.tokens.prompt,
      completion: a.tokens.completion + b.tokens.completion,
      firstRound: a.tokens.firstRound + b.tokens.firstRound,
    },
  };
}
