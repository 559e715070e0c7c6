/** How many debates does a worker hold in memory at once? Enough to keep its endpoints busy, and no more than its heap has room for. */
import { getHeapStatistics } from 'node:v8';
import { onAbort } from '../../engines/waiting.ts';

/** What a debate needs while it is under way. */
export type Need = {
  /** The endpoint that answers, and how many requests it has in flight at most. */
  readonly endpoint: string;
  readonly slots: number;
  /** How many answers are given in the debate, and how many tokens each may have. */
  readonly answers: number;
  readonly maxTokens: number;
  /** The number of dialogues that contain an answer: its agent's own, and those of the agents to whom it is shown. */
  readonly copies: number;
};

export type Admission = {
  /**
   * Does `work` when there is room for it, in order of arrival. A debate that needs more than the whole room is held alone.
   *
   * @throws the signal's reason when it is aborted before that
   */
  readonly admit: <Result>(need: Need, signal: AbortSignal, work: () => Promise<Result>) => Promise<Result>;
  /** Remembers how long answers are: some servers give longer ones than were asked for. */
  readonly sawAnswer: (text: string) => void;
};

/**
 * A debate under way always waits for at least one answer, so twice as many debates as requests keep an endpoint busy, even while answers
 * are compared.
 */
const debatesPerSlot = 2;

/** Holds for texts in most languages. Where a character takes two bytes, a token has fewer characters. */
const bytesPerToken = 4;

/** @param room bytes */
export function createAdmission(room: number): Admission {
  let taken = 0;
  let longestAnswer = 0;
  const underWay = new Map<string, number>();
  /** In order of arrival. */
  const waiting = new Set<{ readonly need: Need; readonly begin: (bytes: number) => void }>();

  const bytesOf = ({ answers, maxTokens, copies }: Need): number =>
    answers * copies * Math.max(maxTokens * bytesPerToken, longestAnswer);
  const count = (endpoint: string, by: 1 | -1): void => {
    underWay.set(endpoint, (underWay.get(endpoint) ?? 0) + by);
  };

  function beginWaiting(): void {
    for (const next of waiting) {
      const { endpoint, slots } = next.need;
      // The others may be for another endpoint.
      if ((underWay.get(endpoint) ?? 0) >= debatesPerSlot * slots) continue;
      const bytes = bytesOf(next.need);
      // Those behind may need less, but this one would then wait without end.
      if (taken > 0 && taken + bytes > room) return;
      waiting.delete(next);
      taken += bytes;
      count(endpoint, 1);
      next.begin(bytes);
    }
  }

  /** @returns the bytes that are now taken for it */
  async function untilRoom(need: Need, signal: AbortSignal): Promise<number> {
    return new Promise<number>((resolve, reject) => {
      const begin = (bytes: number): void => {
        stopListening();
        resolve(bytes);
      };
      const next = { need, begin };
      const stopListening = onAbort(signal, () => {
        waiting.delete(next);
        // An abort's reason is whatever the caller gave; it is passed on as it is.
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors
        reject(signal.reason);
        beginWaiting();
      });
      waiting.add(next);
      beginWaiting();
    });
  }

  return {
    async admit(need, signal, work) {
      signal.throwIfAborted();
      const bytes = await untilRoom(need, signal);
      try {
        return await work();
      } finally {
        taken -= bytes;
        count(need.endpoint, -1);
        beginWaiting();
      }
    },
    sawAnswer(text) {
      longestAnswer = Math.max(longestAnswer, 2 * text.length);
    },
  };
}

/** The debates of this process. A quarter of its heap: requests, garbage and all else need room too. */
export const debatesInMemory = createAdmission(getHeapStatistics().heap_size_limit / 4);
