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
import type { FirstResponses } from './answer-journal.ts';
import { inReportedSlot } from './journalled-answers.ts';
import { atPlace } from '../activity.ts';

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
