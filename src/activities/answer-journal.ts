import { z } from 'zod';
import { abortable } from '../engines/abortable.ts';
import { openJournal, type Journal } from '../store/journal.ts';
import { appendNoting, requireRoom } from '../store/room-to-journal.ts';

const answerSchema = z.object({
  text: z.string(),
  promptTokens: z.number(),
  completionTokens: z.number(),
  /** How many of the dialogue's oldest turns did not fit into the model's context. */
  turnsLeftOut: z.number().optional(),
});
export type Answer = Readonly<z.infer<typeof answerSchema>>;

type Ask = (keep: (answer: Answer) => void) => Promise<Answer>;

/** Answers by a hash of all that they depend on, so that the same request is made once, whichever step has it. */
export type AnswerJournal = {
  /**
   * The answer that is journalled, or the one that somebody in this process is waiting for, or what `ask` gives.
   *
   * @param ask is to `keep` its answer as soon as it has it
   * @param signal ends the waiting for somebody else's
   */
  readonly answer: (request: string, ask: Ask, signal: AbortSignal) => Promise<Answer>;
  /** See room-to-journal.ts. @throws DiskFull, StoreNotWritable */
  readonly requireRoom: () => void;
  readonly close: () => void;
};

/**
 * Opens a journal of answers. In one process there is one of each file, however many steps have it open: those of a study's experiments
 * that ask the same questions at the same time. Two processes may each ask what the other has in flight.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function openAnswerJournal(path: string): Promise<AnswerJournal> {
  const shared = opened.get(path) ?? { users: 0, journal: openJournal(path), asked: new Map() };
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
      close: () => {
        leave();
        if (shared.users === 0) journal.close();
      },
    };
  } catch (error) {
    leave();
    throw error;
  }
}

type Shared = {
  users: number;
  readonly journal: Promise<Journal>;
  /** What is in flight, by request. */
  readonly asked: Map<string, Promise<Answer>>;
};
const opened = new Map<string, Shared>();

async function answerOnce(
  journal: Journal,
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
  const mine = ask((answer) => appendNoting(journal, request, answer));
  asked.set(request, mine);
  try {
    return await mine;
  } finally {
    asked.delete(request);
  }
}
