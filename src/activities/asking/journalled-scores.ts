/** Which first answers does the measure of diversity look at, and what do the models think of them? Scores are journalled, as answers are. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Agent, generation, type Message, modelOf } from '../../algorithm/agents.ts';
import type { CrossScores, ResponseScore } from '../../algorithm/measures/diversity.ts';
import type { TemplateVariables } from '../../config/server-contract.ts';
import type { OnBusy } from '../../engines/endpoint/server-requests.ts';
import type { Endpoints } from '../../engines/endpoint/open.ts';
import type { Claim } from '../../store/files/take-over.ts';
import { appendAndRemember, type Entries, requireRoom } from '../../store/files/journal.ts';
import { type Model, untuned, weightsOf } from '../../store/models.ts';
import { inReportedSlot } from './journalled-answers.ts';
import { atPlace } from '../activity.ts';
import { shuffle } from '../../algorithm/random.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { streamRows } from '../../store/files/rows.ts';
import { type DebateRow, debateRowSchema, heldOutQuestionSchema } from '../../store/records/rows.ts';
import type { ExperimentFiles } from '../../store/store.ts';

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
    for await (const row of streamRows(files.shard(debates.iteration, 'heldout', shard), debateRowSchema)) {
      if (sample.has(row.question.id)) found.push(firstResponsesOf(row));
    }
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

/** What models think of the first responses to a question. */
export type QuestionScores = {
  readonly scores: CrossScores;
  /** By agent: what the base model thinks of its response. */
  readonly base: readonly ResponseScore[];
};

const scoresSchema = z.array(z.strictObject({ tokens: z.number(), logprob: z.number() }));

/**
 * Scores of responses, from the journal where it has them. Each agent's generation model scores all responses to a question as if
 * it had given them to what it was asked itself, and so does the base model. Agents with the same model and the same
 * words are asked for once: of the base model's iteration nothing is asked for but one score of each response.
 */
export function journalledScores(
  agents: readonly Agent<Model>[],
  journal: Entries,
  endpoints: Endpoints,
  claim: Claim,
  onBusy: OnBusy,
  templateOf: (agent: number) => TemplateVariables = () => ({}),
) {
  const models = agents
    .toSorted((a, b) => a.number - b.number)
    .map((agent) => modelOf(agent, generation.name));

  async function ask(
    { questionId, agent }: { readonly questionId: string; readonly agent: number },
    model: Model,
    messages: readonly Message[],
    responses: readonly string[],
    stop: AbortSignal,
  ): Promise<readonly ResponseScore[]> {
    const template = templateOf(agent);
    const request = createHash('sha256').update(
      JSON.stringify([weightsOf(model), messages, responses, ...Object.values(template)]),
    );
    const key = `${questionId}/${request.digest('hex').slice(0, 32)}`;
    const known = scoresSchema.safeParse(journal.get(key)).data;
    if (known !== undefined) return known;
    const endpoint = await endpoints.of(model);
    return inReportedSlot(endpoint, model.base.endpoint, stop, async () => {
      await claim.require();
      stop.throwIfAborted();
      requireRoom(journal);
      const place = { questionId, agent, round: 1, speaker: 'scores of first answers' };
      const scores = await atPlace(place, () =>
        endpoint.score(model, { messages, responses, ...template }, stop, onBusy),
      );
      appendAndRemember(journal, key, scores);
      return scores;
    });
  }

  return async ({ questionId, responses }: FirstResponses, stop: AbortSignal): Promise<QuestionScores> => {
    const texts = responses.map(({ text }) => text);
    const distinct = [...new Set(texts)];
    const asked = new Map<string, Promise<readonly ResponseScore[]>>();
    const scoresBy = async (
      agent: number,
      model: Model,
      messages: readonly Message[],
    ): Promise<ResponseScore[]> => {
      const scorer = JSON.stringify([model, messages, templateOf(agent)]);
      const scoring = asked.get(scorer) ?? ask({ questionId, agent }, model, messages, distinct, stop);
      asked.set(scorer, scoring);
      const scores = await scoring;
      return texts.map((text) => scores[distinct.indexOf(text)] ?? { tokens: 0, logprob: 0 });
    };
    const byAgent = models.map(async (model, agent) => {
      const messages = responses[agent]?.messages ?? [];
      return {
        own: await scoresBy(agent + 1, model, messages),
        base: (await scoresBy(agent + 1, untuned(model.base), messages))[agent] ?? { tokens: 0, logprob: 0 },
      };
    });
    // None is in flight any more when an error is thrown.
    await Promise.allSettled(byAgent);
    const all = await Promise.all(byAgent);
    return { scores: all.map(({ own }) => own), base: all.map(({ base }) => base) };
  };
}
