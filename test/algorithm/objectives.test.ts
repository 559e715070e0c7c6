import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { criticDataset, generationDataset } from '../../src/algorithm/imitation-datasets.ts';
import type { LabelledDebate } from '../../src/algorithm/labelled-debate.ts';
import { methods } from '../../src/algorithm/methods.ts';
import {
  learntDatasets,
  type LearningSettings,
  objectiveNames,
  objectives,
  preferencePairs,
} from '../../src/algorithm/objectives.ts';
import { anyExamples, sampleSettings } from './dataset-rows.ts';
import { anyLabelledDebates, inTwoOrders, labelled } from './labelled-debates.ts';

const roles = fc.constantFrom('generation', 'critic');
const learners = fc.subarray([1, 2, 3], { minLength: 1 });
const pairing = fc.constantFrom<'own' | 'group'>('own', 'group');

const dpo: LearningSettings = { ...sampleSettings, objectives: { generation: 'dpo', critic: 'dpo' } };
const { learning } = methods['multiagent-ft'];

/** Six questions to three agents, of whom agent 1 alone is always right at first. */
const disputed = Array.from({ length: 6 }, (_, index) =>
  labelled(`q-${index}`, [
    [true, index % 2 === 0],
    [false, true],
    [index === 0, true],
  ]),
);

describe('the pairs of a model', () => {
  it('are an own answer and one of another agent, to the same prompt', () => {
    const { pairs } = preferencePairs('generation', [1], disputed.slice(0, 1), dpo);
    expect(anyExamples(disputed, { rows: pairs })).toEqual([
      {
        prompt: [{ role: 'user', content: 'q-0 to agent 1 in round 1' }],
        chosen: [{ role: 'assistant', content: 'q-0: agent 1 in round 1: \\boxed{7}' }],
        rejected: [{ role: 'assistant', content: 'q-0: agent 2 in round 1: \\boxed{8}' }],
      },
    ]);
  });

  it("of a critic are its own dialogue with its own ending and another's", () => {
    const { pairs } = preferencePairs('critic', [1], disputed.slice(1, 2), dpo);
    const [row] = anyExamples(disputed, { rows: pairs });
    expect(row).toMatchObject({
      prompt: [
        { content: 'q-1 to agent 1 in round 1' },
        { content: 'q-1: agent 1 in round 1: \\boxed{7}' },
        { content: 'q-1 to agent 1 in round 2' },
      ],
      chosen: [{ content: expect.stringMatching(/^q-1: agent [23] in round 2: \\boxed\{7\}$/) }],
      rejected: [{ content: 'q-1: agent 1 in round 2: \\boxed{8}' }],
    });
  });

  it('are those that an independent reading of the debates gives', () => {
    fc.assert(
      fc.property(anyLabelledDebates, roles, learners, pairing, (debates, role, agents, pairs) => {
        const made = preferencePairs(role, agents, debates, { ...dpo, pairs }).pairs;
        // A question has a pair when the sides that may be drawn from are both there, and one of the two is the model's own.
        const expected = debates.filter(({ matches }) => {
          const answers = matches.flatMap((byRound, index) =>
            role === 'critic' && byRound.length === 1
              ? []
              : [{ right: role === 'critic' ? byRound[1]! : byRound[0]!, own: agents.includes(index + 1) }],
          );
          const usable = pairs === 'own' ? answers.filter(({ own }) => own) : answers;
          return (
            usable.some(({ right }) => right) &&
            usable.some(({ right }) => !right) &&
            answers.some(({ own }) => own)
          );
        });
        expect(made.map(({ questionId }) => questionId)).toEqual(
          expected.map(({ questionId }) => questionId).toSorted(),
        );
        for (const { questionId, agent, ending } of made) {
          const { matches } = debates.find((each) => each.questionId === questionId)!;
          const at = role === 'critic' ? -1 : 0;
          const rightOf = (each: number) => matches[each - 1]!.at(at)!;
          expect([rightOf(ending.chosen), rightOf(ending.rejected)]).toEqual([true, false]);
          expect(agents).toContain(agent);
          expect([ending.chosen, ending.rejected]).toContain(agent);
          for (const [drawn, right] of [
            [ending.chosen, true],
            [ending.rejected, false],
          ] as const) {
            const own = agents.some((each) => rightOf(each) === right);
            expect(agents.includes(drawn)).toBe(own);
          }
        }
      }),
    );
  });

  it('do not depend on the order in which debates ended', () => {
    fc.assert(
      fc.property(inTwoOrders, roles, learners, ([debates, reordered], role, agents) => {
        const weighted = (all: readonly LabelledDebate[]) =>
          preferencePairs(
            role,
            agents,
            all.map((each) => ({ ...each, margin: Number(each.questionId.slice(-2)) / 7 })),
            { ...dpo, labelWeight: 'margin' },
          );
        expect(weighted(reordered)).toEqual(weighted(debates));
      }),
    );
  });

  it('draw from all that may be drawn, by the seed', () => {
    const debates = [labelled('q-1', [[true], [false], [false]])];
    const others = Array.from(
      { length: 40 },
      (_, seed) => preferencePairs('generation', [1], debates, { ...dpo, seed }).pairs[0]!.ending.rejected,
    );
    expect(new Set(others)).toEqual(new Set([2, 3]));
  });

  it('have no answer that was cut off, and count those of the own agents', () => {
    const [first] = disputed;
    const cut = {
      ...first!,
      cut: [
        [true, false],
        [false, false],
        [false, false],
      ],
    };
    const made = preferencePairs('generation', [1], [cut], dpo);
    expect(made).toEqual({ pairs: [], cut: 1 });
    const others = preferencePairs('generation', [3], [{ ...cut, cut: [[true], [false], [false]] }], dpo);
    expect(others.pairs).toMatchObject([{ ending: { chosen: 3, rejected: 2 } }]);
    expect(others.cut).toBe(0);
  });

  it('count by the margin of their label, 1 on average, and not at all where it is a tie', () => {
    const margins = [1, 1 / 3, 0, 2 / 3, 1, 1];
    const debates = disputed.map((each, index) => ({ ...each, margin: margins[index]! }));
    const { pairs } = preferencePairs('generation', [1], debates, { ...dpo, labelWeight: 'margin' });
    expect(pairs.map(({ questionId }) => questionId)).toEqual(['q-0', 'q-1', 'q-3', 'q-4', 'q-5']);
    const weights = pairs.map(({ weight }) => weight!);
    expect(weights.reduce((sum, each) => sum + each) / weights.length).toBeCloseTo(1, 12);
    expect(weights[1]! / weights[0]!).toBeCloseTo(1 / 3, 12);
    expect(preferencePairs('generation', [1], debates, dpo).pairs[0]).not.toHaveProperty('weight');
  });
});

describe('what a model learns from', () => {
  const made = (settings: Partial<LearningSettings>, debates: readonly LabelledDebate[] = disputed) =>
    learntDatasets(learning!, [1], debates, { ...dpo, ...settings });

  it('is as before with imitation', () => {
    fc.assert(
      fc.property(anyLabelledDebates, learners, (debates, agents) => {
        const { generation, critic } = learntDatasets(learning!, agents, debates, sampleSettings);
        expect(generation).toEqual({
          ...generationDataset(agents, debates, sampleSettings),
          objective: 'imitation',
        });
        expect(critic).toEqual({ ...criticDataset(agents, debates, sampleSettings), objective: 'imitation' });
      }),
    );
  });

  it('may be another objective for each role', () => {
    const { generation, critic } = made({ objectives: { generation: 'kto' } });
    expect(generation?.objective).toBe('kto');
    expect(critic).toEqual({ ...criticDataset([1], disputed, dpo), objective: 'imitation' });
  });

  it('with kto is both answers of each pair, the wanted and the other one', () => {
    const [pairs, answers] = [made({}), made({ objectives: { generation: 'kto' } })];
    const texts = anyExamples(disputed, answers['generation']!);
    expect(texts).toEqual(
      anyExamples(disputed, pairs['generation']!).flatMap((pair) =>
        pair === null || !('chosen' in pair)
          ? []
          : [
              { prompt: pair.prompt, completion: pair.chosen, label: true },
              { prompt: pair.prompt, completion: pair.rejected, label: false },
            ],
      ),
    );
    expect(answers['generation']?.parts).toEqual({ pairs: { available: 6, used: 6 } });
  });

  it('is imitation where there are fewer pairs than min_pairs, with their number', () => {
    const { generation } = made({ minPairs: 7 });
    expect(generation).toEqual({
      ...generationDataset([1], disputed, dpo),
      parts: { pairs: { available: 6, used: 0 } },
      objective: 'imitation',
    });
    expect(made({ minPairs: 6 })['generation']?.objective).toBe('dpo');
  });

  it.each([
    ['all agree', [[true], [true], [true]]],
    ['none is right', [[false], [false], [false]]],
  ])('is nothing where %s', (_, matches) => {
    expect(made({}, [labelled('q-1', matches)])['generation']).toEqual({
      rows: [],
      parts: { pairs: { available: 0, used: 0 } },
      cut: 0,
      objective: 'dpo',
    });
  });

  it('has no row where both answers have the same text', () => {
    const [first] = disputed;
    const dialogues = first!.dialogues.map((dialogue) =>
      dialogue.map((message) => (message.role === 'user' ? message : { ...message, content: 'the same' })),
    );
    for (const name of objectiveNames.filter((each) => objectives[each].rowsOfPair !== undefined)) {
      const { generation } = made({ objectives: { generation: name } }, [{ ...first!, dialogues }]);
      for (const row of anyExamples([{ ...first!, dialogues }], generation!)) expect(row).toBeNull();
    }
  });

  it("of single-agent FT w/o debate compares agent 1's answers with the others'", () => {
    const settings = { ...dpo, minPairs: 1 };
    const { generation } = learntDatasets(
      methods['single-agent-no-debate'].learning!,
      [1, 2, 3],
      disputed,
      settings,
    );
    expect(generation!.rows).toHaveLength(6);
    expect(generation!.rows.every(({ agent }) => agent === 1)).toBe(true);
  });
});
