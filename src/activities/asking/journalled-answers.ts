/** How is a model asked, so that each answer is asked for once, however often a step is tried again, and whichever step has the request? */
import { hash } from 'node:crypto';
import { z } from 'zod';
import { abortable } from '../../engines/waiting.ts';
import { appendAndRemember, type Entries, requireRoom } from '../../store/files/journal.ts';
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
import {
  type Claim,
  type JournalPlace,
  openStepJournal,
  type StepJournal,
} from '../../store/files/take-over.ts';
import { type Model, weightsOf } from '../../store/models.ts';
import { atPlace, type Show } from '../activity.ts';

const answerSchema = z.object({
  text: z.string(),
  promptTokens: z.number(),
  completionTokens: z.number(),
  /** Why the model stopped, in the server's word. Older versions did not write it. */
  finishReason: z.string().default('unknown'),
  /** How many of the dialogue's oldest turns did not fit into the model's context. */
  turnsLeftOut: z.number().optional(),
});
export type Answer = Readonly<z.infer<typeof answerSchema>>;

type Ask = (keep: (answer: Answer) => void) => Promise<Answer>;

/** Answers by a hash of all that they depend on, so that the same request is made once, whichever step has it. */
export type AnswerJournal = {
  /**
   * The answer that is journalled, or the one that another step in this process is waiting for, or what `ask` gives.
   *
   * @param ask has to `keep` its answer as soon as it has it
   * @param signal ends the wait for another step's answer
   */
  readonly answer: (request: string, ask: Ask, signal: AbortSignal) => Promise<Answer>;
  /** See `requireRoom` in store/files/journal.ts. @throws DiskFull, StoreNotWritable */
  readonly requireRoom: () => void;
  /** Other hosts find all answers when this resolves. @throws the errors of the store */
  readonly close: () => Promise<void>;
};

/**
 * Opens a journal of answers. In one process there is one of each file, however many steps have it open: those of a study's experiments
 * that ask the same questions at the same time. A process
 * sees what was in the file when it opened it, and what it has asked itself. So two processes may ask the same, and where an
 * engine does not repeat itself each keeps its own answer.
 *
 * @param epoch of the step's claim
 * @throws DiskFull, StoreNotWritable, and the errors of the store
 */
export async function openAnswerJournal(place: JournalPlace, epoch: number): Promise<AnswerJournal> {
  const { path } = place;
  const shared = opened.get(path) ?? {
    users: 0,
    journal: openStepJournal(place, epoch),
    asked: new Map(),
  };
  opened.set(path, shared);
  shared.users += 1;
  const leave = (): void => {
    shared.users -= 1;
    if (shared.users === 0) opened.delete(path);
  };
  try {
    const journal = await shared.journal;
    return {
      answer: (request, ask, signal) => answerOnce(journal, shared.asked, request, ask, signal),
      requireRoom: () => requireRoom(journal),
      close: async () => {
        leave();
        await (shared.users === 0 ? journal.close() : journal.flush());
      },
    };
  } catch (error) {
    leave();
    throw error;
  }
}

type Shared = {
  users: number;
  readonly journal: Promise<StepJournal>;
  /** What is in flight, by request. */
  readonly asked: Map<string, Promise<Answer>>;
};
const opened = new Map<string, Shared>();

async function answerOnce(
  journal: Entries,
  asked: Map<string, Promise<Answer>>,
  request: string,
  ask: Ask,
  signal: AbortSignal,
): Promise<Answer> {
  for (;;) {
    const entry = journal.get(request);
    // Almost every answer is new, and a parse that fails costs more than all else here.
    const known = entry === undefined ? undefined : answerSchema.safeParse(entry).data;
    if (known !== undefined) return known;
    const inFlight = asked.get(request);
    if (inFlight === undefined) break;
    try {
      return await abortable(inFlight, signal);
    } catch {
      // Theirs may have been cancelled, and this one not: then it asks itself.
      signal.throwIfAborted();
    }
  }
  const mine = ask((answer) => appendAndRemember(journal, request, answer));
  asked.set(request, mine);
  try {
    return await mine;
  } finally {
    asked.delete(request);
  }
}

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
