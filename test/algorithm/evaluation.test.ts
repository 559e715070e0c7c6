import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate as figures, markOf, type Outcome, outcomeOf } from '../../src/algorithm/evaluation.ts';
import { outcomeSchema } from '../../src/store/records/rows.ts';
import { anyScript, anySettings, cutOff, said, numbers, scripted } from './scripted-debate.ts';

const evaluate = (iteration: number, outcomes: readonly Outcome[], base: readonly Outcome[]) =>
  figures(iteration, outcomes.map(markOf), base.map(markOf));

/** An outcome with `single` right first answers, and a right or a wrong debate. */
function outcome(
  questionId: string,
  single: readonly boolean[],
  debate: boolean,
  majority = debate,
): Outcome {
  const judged = (correct: boolean) => ({ answer: correct ? '7' : '8', correct });
  return {
    questionId,
    question: '3+4',
    gold: '7',
    single: single.map(judged),
    majority: judged(majority),
    debate: judged(debate),
    right: single.map((correct) => [correct]),
    classes: single.map((correct) => [Number(correct)]),
    finishReasons: { responses: single.map(() => ['stop']), summaries: [] },
  };
}

const anyOutcomes = fc
  .array(fc.tuple(fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), fc.boolean(), fc.boolean()), {
    minLength: 1,
    maxLength: 60,
  })
  .map((all) =>
    all.map(([single, debate, majority], index) => outcome(`q-${index}`, single, debate, majority)),
  );

describe('the outcome of a held-out question', () => {
  it('judges each first answer, the majority and the debate by the gold answer', async () => {
    const script = [
      [said(1, 1, '8'), said(1, 2, '7')],
      [said(2, 1, '8'), said(2, 2, '7.0')],
      [said(3, 1, null), said(3, 2, '7')],
    ];
    const question = { id: 'heldout-00001', text: '3+4' };
    expect(await outcomeOf(await scripted(script, {}, question), { answer: '07' }, numbers)).toEqual({
      questionId: 'heldout-00001',
      question: '3+4',
      gold: '07',
      single: [
        { answer: '8', correct: false },
        { answer: '8', correct: false },
        { answer: null, correct: false },
      ],
      majority: { answer: '8', correct: false },
      debate: { answer: '7', correct: true },
      // By agent and round. The classes are numbered in the order of the answers' text: 7 and 7.0 before 8.
      right: [
        [false, true],
        [false, true],
        [false, true],
      ],
      classes: [
        [1, 0],
        [1, 0],
        [null, 0],
      ],
      finishReasons: { responses: [1, 2, 3].map(() => ['stop', 'stop']), summaries: [[], [], []] },
    });
  });

  it('says which responses were cut off, and their share is a figure of the evaluation', async () => {
    const script = [
      [`${cutOff}${said(1, 1, '7')}`, said(1, 2, '7')],
      [said(2, 1, '8'), said(2, 2, '7')],
    ];
    const came = await outcomeOf(await scripted(script, { summarize: true }), { answer: '7' }, numbers);
    expect(evaluate(0, [came], [came]).cutOff).toEqual({
      responses: { cut: 1, of: 4, share: 0.25 },
      summaries: { cut: 0, of: 2, share: 0 },
    });
  });

  it('judges every answer of the debate, and gives equal answers of all rounds the same number', async () => {
    await fc.assert(
      fc.asyncProperty(anyScript, anySettings, async (script, settings) => {
        const held = await scripted(script, settings);
        const { right, classes, single } = await outcomeOf(held, { answer: '7' }, numbers);
        const valueOf = new Map<number, number>();
        for (const [agent, byRound] of held.answers.entries()) {
          expect(single[agent]).toEqual({ answer: byRound[0], correct: right[agent]![0] });
          expect(right[agent]).toEqual(byRound.map((answer) => answer !== null && Number(answer) === 7));
          for (const [round, answer] of byRound.entries()) {
            const found = classes[agent]![round]!;
            expect(found === null).toBe(answer === null);
            if (answer === null) continue;
            expect(valueOf.get(found) ?? Number(answer)).toBe(Number(answer));
            valueOf.set(found, Number(answer));
          }
        }
        expect(new Set(valueOf.values()).size).toBe(valueOf.size);
      }),
    );
  });

  it('is the same when it is read from its row', async () => {
    const outcome = await outcomeOf(await scripted([[said(1, 1, '7'), 'none']]), { answer: '7' }, numbers);
    expect(outcomeSchema.parse(JSON.parse(JSON.stringify(outcome)))).toEqual(outcome);
  });

  it('is right when an answer equals any of the accepted ones', async () => {
    const gold = { answer: '8', accepted: ['9', '7.0'] };
    const outcome = await outcomeOf(await scripted([[said(1, 1, '7'), 'none']]), gold, numbers);
    expect(outcome.single[0]).toEqual({ answer: '7', correct: true });
    expect(outcome).toMatchObject({ gold: '8', accepted: ['9', '7.0'] });
    expect(outcomeSchema.parse(JSON.parse(JSON.stringify(outcome)))).toEqual(outcome);
  });

  it('is wrong everywhere when nothing could be parsed', async () => {
    const { single, majority, debate } = await outcomeOf(
      await scripted([['none'], ['none']]),
      { answer: '7' },
      numbers,
    );
    expect([...single, majority, debate]).toEqual(
      Array.from({ length: 4 }, () => ({ answer: null, correct: false })),
    );
  });
});

describe('an evaluation', () => {
  it('has the mean over agents and questions, the majority, the debate and the test against the base', () => {
    const base = [
      outcome('q-1', [true, false, false], false),
      outcome('q-2', [true, true, true], true),
      outcome('q-3', [false, false, false], false),
    ];
    const now = [
      outcome('q-1', [true, true, false], true, false),
      outcome('q-2', [true, false, false], false, true),
      outcome('q-3', [true, true, true], true),
    ];
    const { single, majority, debate, cutOff, ...rest } = evaluate(2, now, base);
    expect(rest).toEqual({ iteration: 2, questions: 3, debateVersusBase: { wins: 2, losses: 1, pValue: 1 } });
    expect(cutOff.responses).toEqual({ cut: 0, of: 9, share: 0 });
    expect(single.accuracy).toBeCloseTo(6 / 9, 12);
    expect(majority.accuracy).toBeCloseTo(2 / 3, 12);
    expect(debate.accuracy).toBeCloseTo(2 / 3, 12);
  });

  it('of the base against itself has neither wins nor losses', () => {
    const base = [outcome('q-1', [true], true), outcome('q-2', [true], false)];
    expect(evaluate(0, base, base).debateVersusBase).toEqual({ wins: 0, losses: 0, pValue: 1 });
  });

  it('does not depend on the order of questions', () => {
    const inOrders = fc.tuple(anyOutcomes, anyOutcomes).chain(([now, base]) => {
      const whole = { minLength: now.length, maxLength: now.length };
      return fc.tuple(fc.constant(now), fc.constant(base), fc.shuffledSubarray(now, whole));
    });
    fc.assert(
      fc.property(inOrders, ([now, base, reordered]) => {
        expect(evaluate(1, reordered, base.toReversed())).toEqual(evaluate(1, now, base));
      }),
    );
  });

  it('leaves a question without its counterpart out of the test, rather than counting it as won', () => {
    const now = [outcome('q-1', [true], true), outcome('q-2', [true], true)];
    const base = [outcome('q-2', [false], false)];
    expect(evaluate(1, now, base).debateVersusBase).toMatchObject({ wins: 1, losses: 0 });
  });
});
