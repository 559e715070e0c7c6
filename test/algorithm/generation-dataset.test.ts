import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generationDataset } from '../../src/algorithm/imitation-datasets.ts';
import { generationRows, sampleSettings } from './dataset-rows.ts';
import { anyLabelledDebates, inTwoOrders, labelled } from './labelled-debates.ts';

const agents = fc.integer({ min: 1, max: 3 });

describe('the generation dataset', () => {
  it('keeps a first answer only when it equals the label', () => {
    const debates = [labelled('q-1', [[true, true]]), labelled('q-2', [[false, true]])];
    expect(generationRows(1, debates)).toEqual([
      {
        prompt: [{ role: 'user', content: 'q-1 to agent 1 in round 1' }],
        completion: [{ role: 'assistant', content: 'q-1: agent 1 in round 1: \\boxed{7}' }],
      },
    ]);
  });

  it('keeps a right first answer also when the agent changed it later', () => {
    expect(generationRows(1, [labelled('q-1', [[true, false]])])).toHaveLength(1);
  });

  it('leaves out a right first answer that was cut off, and counts it', () => {
    const [whole, cut] = [labelled('q-1', [[true, true]]), labelled('q-2', [[true, true]])];
    const debates = [whole, { ...cut, cut: [[true, false]] }];
    expect(generationDataset([1], debates, sampleSettings)).toMatchObject({
      rows: [{ questionId: 'q-1' }],
      cut: 1,
    });
    expect(generationDataset([1], [{ ...cut, cut: [] }], sampleSettings)).toMatchObject({
      rows: [{}],
      cut: 0,
    });
  });

  it('of agents that share a model has as many rows as one agent with data_matched', () => {
    const debates = Array.from({ length: 10 }, (_, index) =>
      labelled(`q-${index}`, [[true], [true], [index % 2 === 0]]),
    );
    const made = (dataMatched: boolean) =>
      generationDataset([1, 2, 3], debates, { ...sampleSettings, dataMatched }).rows;
    expect(made(false)).toHaveLength(25);
    expect(made(true)).toHaveLength(8);
    const all = made(false).map(({ questionId, agent }) => `${questionId}/${agent}`);
    for (const { questionId, agent } of made(true)) expect(all).toContain(`${questionId}/${agent}`);
  });

  it("holds the agent's own first responses, each of its right ones once", () => {
    fc.assert(
      fc.property(anyLabelledDebates, agents, (debates, agent) => {
        const rows = generationRows(agent, debates);
        const right = debates.filter(({ matches }) => matches[agent - 1]![0]);
        expect(rows.map(({ completion }) => completion[0])).toEqual(
          right.map(({ dialogues }) => dialogues[agent - 1]![1]),
        );
        expect(rows.map(({ prompt }) => prompt)).toEqual(
          right.map(({ dialogues }) => [dialogues[agent - 1]![0]]),
        );
      }),
    );
  });

  it('does not depend on the order in which debates ended', () => {
    fc.assert(
      fc.property(inTwoOrders, agents, ([debates, reordered], agent) => {
        expect(generationRows(agent, reordered)).toEqual(generationRows(agent, debates));
      }),
    );
  });

  it('of an agent that took no part is empty', () => {
    expect(generationRows(4, [labelled('q-1', [[true, true]])])).toEqual([]);
  });
});
