import { hash } from 'node:crypto';
import { z } from 'zod';
import type { Utterance } from '../algorithm/debate.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import type { OnBusy } from '../engines/chat-client.ts';
import type { Endpoint } from '../engines/endpoint.ts';
import type { Claim } from '../store/claim.ts';
import type { Journal } from '../store/journal.ts';
import type { ModelRef } from '../store/model-ref.ts';
import { report } from '../telemetry/reports.ts';
import { reportedTurn } from './reported-turn.ts';

const answerSchema = z.object({
  /** Of all that the answer depends on: an entry that was made for another request is not used. */
  request: z.string(),
  text: z.string(),
  promptTokens: z.number(),
  completionTokens: z.number(),
});
type Answer = z.infer<typeof answerSchema>;

/**
 * Answers from the journal where it has them, from the endpoint otherwise. An answer's turn at the endpoint lasts until it is
 * journalled, so that a crash loses at most `endpoint.maxConcurrency` of them; and none is asked for by an attempt that has lost
 * its claim to another.
 */
export type JournalledAnswers = {
  readonly give: (utterance: Utterance<ModelRef>, stop: AbortSignal) => Promise<Answer>;
  /** How many were given. */
  readonly count: () => number;
  /** How many of them the endpoint gave. */
  readonly asked: () => number;
};

export function journalledAnswers(
  journal: Journal,
  config: ExperimentConfig,
  endpoint: Endpoint,
  claim: Claim,
  onBusy: OnBusy,
): JournalledAnswers {
  let given = 0;
  let asked = 0;

  const ask = (
    utterance: Utterance<ModelRef>,
    key: string,
    request: string,
    stop: AbortSignal,
  ): Promise<Answer> => {
    const { messages, seed, model, speaker } = utterance;
    const { endpoint: name } = config.model;
    return reportedTurn(endpoint, name, async () => {
      stop.throwIfAborted();
      claim.require();
      const completion = await endpoint.chat(model, { messages, seed, ...config.sampling }, stop, onBusy);
      const { text, promptTokens, completionTokens } = completion;
      const answer: Answer = { request, text, promptTokens, completionTokens };
      journal.append(key, answer);
      asked += 1;
      report('answer', { endpoint: name, speaker, promptTokens, completionTokens });
      return answer;
    });
  };

  return {
    count: () => given,
    asked: () => asked,
    give: async (utterance, stop) => {
      const key = [utterance.questionId, utterance.agent, utterance.round, utterance.speaker].join('/');
      const request = requestHash(utterance, config);
      const entry = journal.get(key);
      // Almost every answer is new, and a parse that fails costs more than all else here.
      const known = entry === undefined ? undefined : answerSchema.safeParse(entry).data;
      const answer = known?.request === request ? known : await ask(utterance, key, request, stop);
      given += 1;
      return answer;
    },
  };
}

function requestHash({ model, messages, seed }: Utterance<ModelRef>, config: ExperimentConfig): string {
  const weights = model.kind === 'base' ? config.model.model_name_or_path : model.key;
  return hash('sha256', JSON.stringify([weights, messages, seed, config.sampling])).slice(0, 16);
}
