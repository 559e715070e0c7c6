import * as fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { AnswerRules, Question } from '../../src/algorithm/answer.ts';
import { type Debate, debate } from '../../src/algorithm/debate.ts';
import {
  type AgreementWindow,
  type AllRounds,
  type ConsensusLabels,
  labelDebate,
  type LabelledDebate,
  labelByConsensus,
  labelByGold,
  withLabelVote,
} from '../../src/algorithm/labelled-debate.ts';
import { preferencePairs } from '../../src/algorithm/objectives.ts';
import { anyExamples, criticRows, generationRows, sampleSettings } from './dataset-rows.ts';
import {
  anyScript,
  anySettings,
  cast,
  paperSettings,
  said,
  numbers,
  scripted,
  speaker,
} from './scripted-debate.ts';

const spoilt = [
  [said(1, 1, '7'), said(1, 2, '8')],
  [said(2, 1, '7'), said(2, 2, '8')],
  [said(3, 1, '8'), said(3, 2, '8')],
];

describe('a label', () => {
  it('is the consensus of the last round, right or wrong', async () => {
    const made = labelByConsensus(await scripted(spoilt), { minVotes: 1 });
    expect(made?.matches).toEqual([
      [false, true],
      [false, true],
      [true, true],
    ]);
  });

  it('is the gold answer for STaR, for any consensus', async () => {
    const held = await scripted(spoilt);
    const made = await labelByGold(held, { questionId: 'q-1', answer: '7.0' }, numbers);
    expect(made.matches).toEqual([
      [true, false],
      [true, false],
      [false, false],
    ]);
  });

  it.each([
    [1, true],
    [2, true],
    [3, false],
  ])('with min_votes %i exists for two votes of three: %s', async (minVotes, there) => {
    const held = await scripted([[said(1, 1, '7')], [said(2, 1, '7')], [said(3, 1, '8')]]);
    expect(labelByConsensus(held, { minVotes }) !== null).toBe(there);
  });

  it.each([
    [1, 3, true],
    [1, 2, true],
    [1, 1, false],
    [3, 3, false],
  ])(
    'with min_votes %i and max_votes %i exists for two votes of three: %s',
    async (minVotes, maxVotes, there) => {
      const held = await scripted([[said(1, 1, '7')], [said(2, 1, '7')], [said(3, 1, '8')]]);
      expect(labelByConsensus(held, { minVotes, maxVotes }) !== null).toBe(there);
    },
  );

  it.each([
    ['777', 1],
    ['778', 1 / 3],
    ['77-', 2 / 3],
    ['789', 0],
    ['7--', 1 / 3],
    ['78-', 0],
    ['77889', 0],
    ['77789', 2 / 5],
  ])('of the last answers %s is ahead by %d of the votes', async (answers, margin) => {
    const script = answers
      .split('')
      .map((answer, index) => [
        said(index + 1, 1, '1'),
        answer === '-' ? 'no idea' : said(index + 1, 2, answer),
      ]);
    const held = await scripted(script);
    const labels = { from: 'consensus', minVotes: 1, weight: 'margin' } as const;
    expect((await labelDebate(held, labels, numbers))?.margin).toBeCloseTo(margin, 12);
    expect(await labelDebate(held, { ...labels, weight: 'none' }, numbers)).not.toHaveProperty('margin');
  });

  it('is missing when nothing could be parsed, even without a minimum of votes', async () => {
    const held = await scripted([['no idea'], ['none']]);
    expect(labelByConsensus(held, { minVotes: 0 })).toBeNull();
  });
});

describe('a gold answer', () => {
  it('has no place in a question, a debate or a labelled debate', () => {
    expectTypeOf<keyof Question>().toEqualTypeOf<'id' | 'text'>();
    expectTypeOf<Debate['question']>().toEqualTypeOf<Question>();
    type Fields = 'agents' | 'questionId' | 'dialogues' | 'matches' | 'cut' | 'margin';
    expectTypeOf<keyof LabelledDebate>().toEqualTypeOf<Fields>();
    expectTypeOf<LabelledDebate['margin']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<LabelledDebate['matches'][number][number]>().toEqualTypeOf<boolean>();
  });

  it('cannot be given to what labels by consensus or makes datasets', () => {
    type Given = [debate: Debate, window: AgreementWindow];
    expectTypeOf<Parameters<typeof labelByConsensus>>().toEqualTypeOf<Given>();
    expectTypeOf<keyof AgreementWindow>().toEqualTypeOf<'minVotes' | 'maxVotes'>();
    expectTypeOf<keyof ConsensusLabels>().toEqualTypeOf<'minVotes' | 'maxVotes' | 'allRounds'>();
    expectTypeOf<keyof AllRounds>().toEqualTypeOf<'rounds' | 'seed' | 'iteration'>();
    // What votes on a label has no rule by which an answer could be judged.
    expectTypeOf(withLabelVote).parameters.toEqualTypeOf<
      [debate: Debate, labels: Pick<ConsensusLabels, 'allRounds'>, rules: Pick<AnswerRules, 'equal'>]
    >();
    type Gold = { readonly questionId: string; readonly answer: string };
    expectTypeOf<Gold>().not.toExtend<Question>();
    expectTypeOf<Gold>().not.toExtend<LabelledDebate>();
    // @ts-expect-error a training question has no answer
    const question: Question = { id: 'train-00001', text: '3+4', answer: '7' };
    const gold: Gold = { questionId: 'q-1', answer: '7' };
    // @ts-expect-error a label made by consensus takes no gold answer
    const withGold = (held: Debate) => labelByConsensus(held, { minVotes: 1 }, gold);
    expect([question, withGold]).toHaveLength(2);
  });

  it('reaches no request, debate, label or dataset made by consensus, even from a held-out question', async () => {
    const canary = 'GOLD-canary-1f9c';
    await fc.assert(
      fc.asyncProperty(anyScript, anySettings, async (script, settings) => {
        const { speak, requests } = speaker(script);
        const all = { ...paperSettings, ...settings, rounds: script[0]!.length };
        const heldOut = { id: 'heldout-00001', text: '3+4', answer: canary };
        const held = await debate(heldOut, cast(script.length), all, speak, numbers);
        const allRounds = { rounds: all.rounds, seed: 0, iteration: 1 };
        const labels = { from: 'consensus', weight: 'margin', minVotes: 1 } as const;
        const made = [
          labelByConsensus(held, { minVotes: 1 }),
          await labelDebate(held, { ...labels, allRounds }, numbers),
        ];
        const rows = made.map((each) => (each ? everyDataset(each, script.length) : []));
        expect(JSON.stringify([requests, held, made, rows])).not.toContain(canary);
      }),
    );
  });

  it('chooses rows for STaR but is never written into one', async () => {
    const gold = { questionId: 'q-1', answer: '0007.000' };
    await fc.assert(
      fc.asyncProperty(anyScript, anySettings, async (script, settings) => {
        const made = await labelByGold(await scripted(script, settings), gold, numbers);
        expect(JSON.stringify([made, everyDataset(made, script.length)])).not.toContain(gold.answer);
      }),
    );
  });
});

it("every row made from a debate is the agent's own: a user asks last, and its own response is the completion", async () => {
  await fc.assert(
    fc.asyncProperty(anyScript, anySettings, async (script, settings) => {
      const made = labelByConsensus(await scripted(script, settings), { minVotes: 1 });
      if (!made) return;
      script.forEach((own, index) => {
        const rows = [...generationRows(index + 1, [made]), ...lessons(index + 1, made)];
        for (const { prompt, completion } of rows) {
          expect(completion).toHaveLength(1);
          expect(completion[0].role).toBe('assistant');
          expect(own).toContain(completion[0].content);
          expect(prompt.at(-1)!.role).toBe('user');
          const earlier = prompt.filter(({ role }) => role === 'assistant').map(({ content }) => content);
          expect(own).toEqual(expect.arrayContaining(earlier));
          expect(prompt).not.toContainEqual(completion[0]);
        }
      });
    }),
  );
});

/** All rows that the critic of an agent could learn from one debate, corrected or kept. */
function lessons(agent: number, made: LabelledDebate) {
  return [0, 1].flatMap(
    (criticWeight) => criticRows(agent, [made], { seed: 0, iteration: 1, criticWeight }).examples,
  );
}

/** All rows that the models of an agent could learn from one debate by comparing answers. */
function pairsOf(agent: number, made: LabelledDebate) {
  return (['generation', 'critic'] as const).flatMap((role) => {
    const settings = {
      ...sampleSettings,
      labelWeight: made.margin === undefined ? 'none' : 'margin',
    } as const;
    const { pairs } = preferencePairs(role, [agent], [made], settings);
    const labels = pairs.flatMap((pair) =>
      [true, false].map((label) => ({ ...pair, ending: { ...pair.ending, label } })),
    );
    return anyExamples([made], { rows: [...pairs, ...labels] });
  });
}

function everyDataset(made: LabelledDebate, agents: number) {
  return Array.from({ length: agents }, (_, index) => [
    generationRows(index + 1, [made]),
    lessons(index + 1, made),
    pairsOf(index + 1, made),
  ]);
}
