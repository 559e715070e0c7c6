import * as fc from 'fast-check';
import type { LabelledDebate } from '../../src/algorithm/labelled-debate.ts';
import { said } from './scripted-debate.ts';

/** A labelled debate with the given matches of answers and label: by agent, then by round. */
export function labelled(questionId: string, matches: readonly (readonly boolean[])[]): LabelledDebate {
  return {
    questionId,
    matches,
    cut: matches.map((byRound) => byRound.map(() => false)),
    dialogues: matches.map((byRound, agent) =>
      byRound.flatMap((right, round) => [
        { role: 'user' as const, content: `${questionId} to agent ${agent + 1} in round ${round + 1}` },
        {
          role: 'assistant' as const,
          content: `${questionId}: ${said(agent + 1, round + 1, right ? '7' : '8')}`,
        },
      ]),
    ),
  };
}

const idOf = (index: number) => `train-${String(index).padStart(5, '0')}`;

/** Debates of one agent: `corrected` in which it corrected itself, and `kept` in which it kept its right answer. */
export function correctedAndKept(corrected: number, kept: number): LabelledDebate[] {
  return Array.from({ length: corrected + kept }, (_, index) =>
    labelled(idOf(index), [[index >= corrected, true]]),
  );
}

/** Debates of three agents and two rounds, some stopped after round 1. */
export const anyLabelledDebates = fc
  .array(
    fc.boolean().chain((stopped) => {
      const byRound = fc.array(
        fc.boolean(),
        stopped ? { minLength: 1, maxLength: 1 } : { minLength: 2, maxLength: 2 },
      );
      return fc.array(byRound, { minLength: 3, maxLength: 3 });
    }),
    // Enough that a part is seldom used whole: only then does the draw matter.
    { maxLength: 40, size: 'max' },
  )
  .map((all) => all.map((matches, index) => labelled(idOf(index), matches)));

/** The same debates in two orders. */
export const inTwoOrders = anyLabelledDebates.chain((all) =>
  fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
);
