import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LabelledDebate } from '../../src/algorithm/labelled-debate.ts';
import { distilledDataset, distillSources, preferencePairs } from '../../src/algorithm/objectives.ts';
import { anyExamples, sampleSettings } from './dataset-rows.ts';
import { anyLabelledDebates, inTwoOrders, labelled } from './labelled-debates.ts';

const group = [1, 2, 3];
const imitated = (from: 'debate' | 'best', debates: readonly LabelledDebate[]) =>
  distilledDataset({ from, objective: 'imitation' }, group, debates, sampleSettings);

/** Agent 2 is right at first most often, and agent 3 never is, but it learns from the others. */
const debates = [
  labelled('q-0', [
    [true, true],
    [true, false],
    [false, true],
  ]),
  labelled('q-1', [
    [false, false],
    [true, true],
    [false, true],
  ]),
];

describe('what one model learns from the debate of a group', () => {
  it('is each agent’s first answer that equals the label, or its last one where only that does, behind the question alone', () => {
    const dataset = imitated('debate', debates);
    expect(anyExamples(debates, dataset)).toEqual(
      [
        ['q-0', 1, 1],
        ['q-0', 2, 1],
        ['q-0', 3, 2],
        ['q-1', 2, 1],
        ['q-1', 3, 2],
      ].map(([question, agent, round]) => ({
        prompt: [{ role: 'user', content: `${question} to agent ${agent} in round 1` }],
        completion: [
          { role: 'assistant', content: `${question}: agent ${agent} in round ${round}: \\boxed{7}` },
        ],
      })),
    );
    expect(dataset).toMatchObject({
      agents: [1, 2, 3],
      agreed: [1, 2, 0],
      objective: 'imitation',
      parts: { first: { available: 3, used: 3 }, corrected: { available: 2, used: 2 } },
    });
  });

  it('is of the best agent alone what its own first answers and corrections are', () => {
    expect(imitated('best', debates)).toMatchObject({
      agents: [2],
      rows: [
        { questionId: 'q-0', agent: 2, completion: 'first answer' },
        { questionId: 'q-1', agent: 2, completion: 'first answer' },
      ],
    });
  });

  it('takes the lowest number of agents that are equally good for the best one', () => {
    expect(imitated('best', debates.slice(0, 1)).agents).toEqual([1]);
    expect(imitated('best', [])).toMatchObject({ agents: [1], rows: [] });
  });

  it('leaves out answers that were cut off, and counts them', () => {
    const [first, ...rest] = debates;
    const cut = [
      {
        ...first!,
        cut: [
          [true, false],
          [false, false],
          [false, true],
        ],
      },
      ...rest,
    ];
    expect(imitated('debate', cut)).toMatchObject({ cut: 2, agreed: [1, 2, 0] });
    expect(imitated('debate', cut).rows).toHaveLength(3);
  });

  it('is what an independent reading of the debates gives', () => {
    fc.assert(
      fc.property(anyLabelledDebates, fc.constantFrom(...distillSources), (all, from) => {
        const right = group.map(
          (agent) => all.flatMap(({ matches }) => (matches[agent - 1]![0]! ? [agent] : [])).length,
        );
        const best = right.findIndex((each) => right.every((other) => other <= each)) + 1;
        const wanted = from === 'best' ? [best] : group;
        const expected = new Set(
          all.flatMap(({ questionId, matches }) =>
            wanted.flatMap((agent) => {
              const course = matches[agent - 1]!.map((match) => (match ? 'r' : 'w')).join('');
              if (course.startsWith('r')) return [`${questionId} ${agent} first answer`];
              return course === 'wr' ? [`${questionId} ${agent} rationale`] : [];
            }),
          ),
        );
        const { rows, agents, agreed } = imitated(from, all);
        expect(new Set(rows.map((row) => `${row.questionId} ${row.agent} ${row.completion}`))).toEqual(
          expected,
        );
        expect(rows).toHaveLength(expected.size);
        expect({ agents, agreed }).toEqual({ agents: wanted, agreed: right });
      }),
    );
  });

  it('does not depend on the order in which debates ended', () => {
    fc.assert(
      fc.property(inTwoOrders, fc.constantFrom('imitation', 'dpo', 'kto'), ([one, other], objective) => {
        const made = (all: readonly LabelledDebate[]) =>
          distilledDataset({ from: 'debate', objective }, group, all, sampleSettings);
        expect(made(other)).toEqual(made(one));
      }),
    );
  });
});

describe('what one model compares', () => {
  it('are pairs of first answers to the question, at most one of a question, drawn for it alone', () => {
    const made = distilledDataset({ from: 'debate', objective: 'dpo' }, group, debates, sampleSettings);
    expect(made).toMatchObject({ objective: 'dpo', parts: { pairs: { available: 2, used: 2 } } });
    expect(made.rows).toEqual(preferencePairs('distilled', group, debates, sampleSettings).pairs);
    expect(anyExamples(debates, made)[1]).toMatchObject({
      prompt: [{ content: expect.stringMatching(/^q-1 to agent [123] in round 1$/) }],
      chosen: [{ content: 'q-1: agent 2 in round 1: \\boxed{7}' }],
      rejected: [{ content: expect.stringMatching(/^q-1: agent [13] in round 1: \\boxed\{8\}$/) }],
    });
  });

  it('are both answers of each pair with kto', () => {
    const { rows } = distilledDataset({ from: 'best', objective: 'kto' }, group, debates, sampleSettings);
    expect(rows.map(({ ending }) => ending?.label)).toEqual([true, false, true, false]);
  });

  it('are none where the agents agree, and too few of them are imitated', () => {
    const agreed = [labelled('q-0', [[true], [true], [true]])];
    const dpo = { from: 'debate', objective: 'dpo' } as const;
    expect(distilledDataset(dpo, group, agreed, sampleSettings).rows).toEqual([]);
    const few = distilledDataset(dpo, group, debates, { ...sampleSettings, minPairs: 3 });
    expect(few).toMatchObject({ objective: 'imitation', parts: { pairs: { available: 2, used: 0 } } });
    expect(few.rows).toEqual(imitated('debate', debates).rows);
  });
});
