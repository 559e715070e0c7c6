import { describe, expect, it } from 'vitest';
import { measureExperiment } from '../../../src/report/read/measured-experiment.ts';
import { asOneModel, summariesOf } from '../../../src/report/analyse/effects.ts';
import { openStore } from '../../../src/store/store.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { type Script, times, writeScriptedStudy } from '../scripted-study.ts';

const folder = temporaryFolder();
let studies = 0;

async function measured(...scripts: readonly Script[]) {
  const store = openStore(folder);
  const cells = await writeScriptedStudy(store, `s${++studies}`, scripts);
  return Promise.all(cells.map((experiment) => measureExperiment(store, experiment)));
}
const summariesIn = (cells: Awaited<ReturnType<typeof measured>>, method: string) =>
  summariesOf(
    cells.filter((cell) => cell.method === method),
    cells,
  );

describe('what summaries did', () => {
  it('is how many answers were helped and harmed after one, the seeds pooled, for the base model and after the last iteration', async () => {
    const rows = summariesIn(
      await measured(
        { method: 'multiagent-ft', seed: 0, iterations: [['RWW>RRW'], ['RWW>RWW'], ['RRW>RWW']] },
        { method: 'multiagent-ft', seed: 1, iterations: [['WWW>WWW'], ['WWW>WWW'], ['WWW>RRR']] },
      ),
      'multiagent-ft',
    );
    expect(rows.map(({ iteration }) => iteration)).toEqual([0, 2]);
    expect(rows[0]).toMatchObject({ helped: { value: 1 / 6 }, harmed: { value: 0 }, versusWithout: null });
    expect(rows[1]).toMatchObject({ helped: { value: 3 / 6 }, harmed: { value: 1 / 6 } });
    expect(rows[1]!.net!.value).toBeCloseTo(2 / 6, 12);
  });

  it('is set against the same method without summaries, question by question: 8 of 10 right with, 5 without', async () => {
    const right = (count: number) => [...times(count, 'RRW>RRR'), ...times(10 - count, 'WWW>WWW')];
    const cells = await measured(
      { method: 'multiagent-ft', iterations: [right(8), right(9)] },
      { method: 'no-summary', iterations: [right(5), right(9)] },
    );
    const [base, last] = summariesIn(cells, 'multiagent-ft');
    expect(base!.versusWithout).toMatchObject({ units: 10, wins: 3, losses: 0 });
    expect(base!.versusWithout!.difference).toBeCloseTo(0.3, 12);
    expect(base!.versusWithout!.pValue).toBeCloseTo(2 * 0.5 ** 3, 12);
    expect(last!.versusWithout).toMatchObject({ units: 10, wins: 0, losses: 0, pValue: 1 });
  });

  it('is set against no method that differs by more: agents that help each other are asked otherwise', async () => {
    const cells = await measured(
      { method: 'cooperative', iterations: [['RWW>RRR'], ['RWW>RRR']] },
      { method: 'no-summary', iterations: [['RWW>RWW'], ['RWW>RWW']] },
    );
    for (const { versusWithout } of summariesIn(cells, 'cooperative')) expect(versusWithout).toBeNull();
  });

  it('has nothing of methods that show none: without a debate, without summaries, with one round', async () => {
    const answers = [['RWW>RRW']];
    const cells = await measured(
      { method: 'majority', iterations: answers },
      { method: 'no-summary', iterations: answers },
      { method: 'debate', iterations: [['RWW']], settings: { rounds: 1 } },
    );
    for (const { method } of cells) expect(summariesIn(cells, method)).toEqual([]);
  });
});

describe('one model beside the debate of its group', () => {
  it('is compared question by question, the seeds pooled, with the tokens of a question', async () => {
    const cells = await measured(
      {
        method: 'multiagent-ft',
        seed: 0,
        iterations: [
          ['RWW>RWW', 'RWW>RWW'],
          ['RRW>RRR', 'WWW>WWW'],
        ],
      },
      {
        method: 'multiagent-ft',
        seed: 1,
        iterations: [
          ['RWW>RWW', 'RWW>RWW'],
          ['WWW>WWW', 'WWW>WWW'],
        ],
      },
    );
    const accuracy = { accuracy: 1, standardError: 0 };
    const withModel = cells.map((cell) => {
      const fineTune = cell.result.iterations[0]!.fineTunes[0]!;
      const evaluation = {
        questions: 2,
        accuracy,
        debate: accuracy,
        versusDebate: { wins: 0, losses: 0, pValue: 1 },
        cutOff: cell.result.evaluations[0]!.cutOff,
        tokens: { prompt: 30, completion: 10 },
        debateTokens: { prompt: 300, completion: 200 },
        seconds: 1,
      };
      const distilled = {
        iteration: 1,
        from: 'best' as const,
        objective: 'dpo' as const,
        labelled: 2,
        agreed: [1, 1, 0],
        dataset: { agents: [1], role: 'distilled', rows: 2, parts: {}, cut: 0, objective: 'dpo' as const },
        fineTune,
        tokens: 1,
        seconds: { dataset: 1, fineTune: 1 },
        evaluation,
      };
      // It has every question right.
      const scores = [...cell.iterations[1]!.scores].map(
        ([unit, score]) => [unit, { ...score, right: 1, of: 1 }] as const,
      );
      return { ...cell, result: { ...cell.result, distilled }, distilled: new Map(scores) };
    });
    const [row] = asOneModel(withModel);
    expect(row).toMatchObject({ from: 'best', learnt: ['DPO', 'DPO'], model: 1, debate: 1 / 4 });
    expect(row).toMatchObject({ tokens: 20, debateTokens: 250 });
    expect(row!.difference).toMatchObject({ units: 4, wins: 3, losses: 0, difference: 3 / 4 });
    expect(asOneModel(cells)).toEqual([]);
  });
});
