import { hash } from 'node:crypto';
import type { Utterance } from '../../algorithm/debate.ts';
import { withoutOldestTurn } from '../../algorithm/agents.ts';
import { samplingOf, type SamplingSettings } from '../../config/agents.ts';
import { templateVariables } from '../../config/server-contract.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import type { OnBusy } from '../../engines/endpoint/server-requests.ts';
import type { Endpoint } from '../../engines/endpoint/endpoint.ts';
import type { Endpoints } from '../../engines/endpoint/open.ts';
import { isTooLong, PromptTooLong } from '../../engines/endpoint/refusals.ts';
import { emit } from '../../observe/events.ts';
import type { Claim } from '../../store/files/take-over.ts';
import { type Model, weightsOf } from '../../store/models.ts';
import type { Answer, AnswerJournal } from './answer-journal.ts';
import { atPlace, type Show } from '../activity.ts';

/**
 * Answers from the journal where it has them, from the endpoint otherwise. An answer keeps its slot at the endpoint until it is
 * journalled, so that a crash loses at most `slots.count` answers. An attempt that has lost its claim to another asks for none, and
 * none is asked for while the disk has no room for it.
 */
export type JournalledAnswers = {
  readonly give: (utterance: Utterance<Model>, stop: AbortSignal) => Promise<Answer>;
  /** How many were given. */
  readonly count: () => number;
  /** How many of them the endpoint gave. */
  readonly asked: () => number;
};

type Source = {
  readonly journal: AnswerJournal;
  readonly config: ExperimentConfig;
  readonly endpoints: Endpoints;
  readonly claim: Claim;
  /** Aborted when the shard's step is to stop. */
  readonly signal: AbortSignal;
  readonly onBusy: OnBusy;
};

export function journalledAnswers({
  journal,
  config,
  endpoints,
  claim,
  signal,
  onBusy,
}: Source): JournalledAnswers {
  let given = 0;
  let asked = 0;

  const ask = async (
    utterance: Utterance<Model>,
    keep: (answer: Answer) => void,
    stop: AbortSignal,
  ): Promise<Answer> => {
    const { base } = utterance.model;
    const endpoint = await endpoints.of(utterance.model);
    return inReportedSlot(endpoint, base.endpoint, signal, async () => {
      await claim.require();
      stop.throwIfAborted();
      journal.requireRoom();
      const answer = await atPlace(utterance, () =>
        answerWithinContext(
          utterance,
          { sampling: samplingOf(config, utterance), truncate: config.truncate_dialogues },
          endpoint,
          stop,
          onBusy,
        ),
      );
      keep(answer);
      asked += 1;
      const { promptTokens, completionTokens } = answer;
      emit('answer', {
        endpoint: base.endpoint,
        speaker: utterance.speaker,
        promptTokens,
        completionTokens,
      });
      return answer;
    });
  };

  return {
    count: () => given,
    asked: () => asked,
    give: async (utterance, stop) => {
      const request = requestHash(utterance, config);
      const answer = await journal.answer(request, (keep) => ask(utterance, keep, stop), stop);
      given += 1;
      return answer;
    },
  };
}

/**
 * Asks a model. A prompt that is too long for its context loses its oldest turns where `truncate` is true.
 *
 * @throws PromptTooLong, or the endpoint's errors
 */
export async function answerWithinContext(
  utterance: Utterance<Model>,
  { sampling, truncate }: { readonly sampling: SamplingSettings; readonly truncate: boolean },
  endpoint: Endpoint,
  signal: AbortSignal,
  onBusy?: OnBusy,
): Promise<Answer> {
  const { seed, model } = utterance;
  const { enable_thinking, ...sampled } = sampling;
  const asked = { ...sampled, ...templateVariables({ enable_thinking }) };
  let { messages } = utterance;
  for (let turnsLeftOut = 0; ; turnsLeftOut += 1) {
    try {
      const completion = await endpoint.chat(model, { messages, seed, ...asked }, signal, onBusy);
      return { ...completion, ...(turnsLeftOut > 0 ? { turnsLeftOut } : {}) };
    } catch (error) {
      if (!isTooLong(error)) throw error;
      const shorter = truncate ? withoutOldestTurn(messages) : null;
      if (shorter === null) throw new PromptTooLong(utterance, messages, error.words);
      messages = shorter;
    }
  }
}

function requestHash(utterance: Utterance<Model>, config: ExperimentConfig): string {
  const { model, messages, seed } = utterance;
  const { truncate_dialogues: truncate } = config;
  const sampling = samplingOf(config, utterance);
  return hash('sha256', JSON.stringify([weightsOf(model), messages, seed, sampling, truncate])).slice(0, 16);
}

/** Shows in the step's heartbeats what a request waits for: a busy server, or one that gives no answer. */
export function showWaits(show: Show): OnBusy {
  return (until, outage) =>
    show(
      outage === undefined
        ? { engineBusyUntil: until.toISOString() }
        : {
            noAnswer: {
              url: outage.url,
              reason: outage.reason,
              since: outage.since.toISOString(),
              until: until.toISOString(),
            },
          },
    );
}

/** What is shown when an answer has come: nothing is waited for any more. */
export const noWait = { engineBusyUntil: undefined, noAnswer: undefined } as const;

/** Shows in the step's heartbeats since when it waits because a fine-tune has the device of its endpoint. */
export function showFineTune(show: Show): (since: Date | undefined) => void {
  return (since) => show({ fineTuneHasDeviceSince: since?.toISOString() });
}

/** Does `work` in a slot of the endpoint, and reports how the endpoint's queue changes with it. */
export async function inReportedSlot<Result>(
  endpoint: Endpoint,
  name: string,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  let inFlight = 0;
  emit('queue', { endpoint: name, waiting: 1, inFlight });
  try {
    return await endpoint.slots.use(() => {
      inFlight = 1;
      emit('queue', { endpoint: name, waiting: -1, inFlight });
      return work();
    }, signal);
  } finally {
    emit('queue', { endpoint: name, waiting: inFlight - 1, inFlight: -inFlight });
  }
}
