import { shuffle } from '../algorithm/random.ts';
import type { Message } from '../algorithm/message.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import { type DebateRow, debateRowSchema } from '../store/debate-row.ts';
import type { ExperimentFiles } from '../store/experiment-files.ts';
import { heldOutQuestionSchema } from '../store/question-rows.ts';
import { readRows, streamRows } from '../store/rows.ts';

/** What the agents said first to one held-out question, by agent. */
export type FirstResponses = {
  readonly questionId: string;
  readonly responses: readonly FirstResponse[];
};
export type FirstResponse = {
  /** What the agent was asked. */
  readonly messages: readonly Message[];
  readonly text: string;
  readonly answer: string | null;
};

/**
 * The first responses to so many held-out questions, in the order of the questions: to a sample that is the same in each iteration
 * of an experiment, so that iterations are compared on the same questions; to all when there are no more. A shard is in memory at a time.
 *
 * @param shards how many shards of held-out debates there are
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function firstResponses(
  count: number,
  debates: { readonly iteration: number; readonly shards: number },
  { seed }: ExperimentConfig,
  files: ExperimentFiles,
): Promise<FirstResponses[]> {
  const ids: string[] = [];
  for await (const { id } of streamRows(files.questions('heldout'), heldOutQuestionSchema)) ids.push(id);
  const sample = new Set(shuffle({ seed, iteration: 0, purpose: 'diversity' }, ids).slice(0, count));
  const found: FirstResponses[] = [];
  for (let shard = 0; shard < debates.shards; shard++) {
    const rows = await readRows(files.shard(debates.iteration, 'heldout', shard), debateRowSchema);
    found.push(...rows.filter(({ question }) => sample.has(question.id)).map(firstResponsesOf));
  }
  return found;
}

function firstResponsesOf({ question, dialogues, answers }: DebateRow): FirstResponses {
  return {
    questionId: question.id,
    responses: dialogues.map((dialogue, agent) => {
      const first = dialogue.findIndex(({ role }) => role === 'assistant');
      return {
        messages: dialogue.slice(0, first),
        text: dialogue[first]?.content ?? '',
        answer: answers[agent]?.[0] ?? null,
      };
    }),
  };
}
