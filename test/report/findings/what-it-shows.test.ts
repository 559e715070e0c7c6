import { describe, expect, it } from 'vitest';
import type { MethodName } from '../../../src/algorithm/methods.ts';
import type { DiversityDocument } from '../../../src/store/records/rows.ts';
import { analyseStudy } from '../../../src/report/analyse/study.ts';
import { measureExperiment } from '../../../src/report/read/measured-experiment.ts';
import { openStore } from '../../../src/store/store.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { diversityDocument } from '../diversity-document.ts';
import { type Script, times, writeScriptedStudy } from '../scripted-study.ts';
import { experimentFindings, studyFindings } from '../../../src/report/findings/what-it-shows.ts';
import { noneCutOff } from '../../../src/algorithm/measures/cost.ts';
import type { ReportData } from '../../../src/report/read/experiment.ts';

const folder = temporaryFolder();
let studies = 0;

/** All findings on a study of one setting, a line each. */
async function found(scripts: readonly Script[]) {
  const store = openStore(folder);
  const name = `f${++studies}`;
  const cells = await writeScriptedStudy(store, name, scripts);
  const measured = await Promise.all(cells.map((experiment) => measureExperiment(store, experiment)));
  const { findings, limits } = studyFindings(
    await analyseStudy({ name, experiments: measured, missing: [] }),
  );
  const lines = (said: readonly { sentence: string; each: readonly string[] }[]) =>
    said.flatMap(({ sentence, each }) => [sentence, ...each]);
  return { shows: lines(findings[0]!.shows), beside: lines(findings[0]!.beside), limits };
}

/** 100 questions, so many of them right. */
const right = (count: number) => [...times(count, 'RRR>RRR'), ...times(100 - count, 'WWW>WWW')];

describe('what a study shows', () => {
  it('is that the reference is better where the corrected test says so', async () => {
    const { shows } = await found([
      { method: 'debate', iterations: [right(40)] },
      { method: 'multiagent-ft', iterations: [right(40), right(70)] },
    ]);
    expect(shows[0]).toBe('Multiagent FT after one iteration is right on 70.0 % of 100 held-out questions.');
    expect(shows[1]).toBe('Multiagent FT after one iteration is better than the other method:');
    // 30 : 0, p = 2 * 0.5^30.
    expect(shows[2]).toMatch(/^Debate: \+30\.0 points, 95 % \+2\d\.\d to \+3\d\.\d, p < 0\.001 by Holm$/);
  });

  it('is reported as fully when it is worse', async () => {
    const { shows } = await found([
      { method: 'star', iterations: [right(40), right(80)] },
      { method: 'multiagent-ft', iterations: [right(40), right(60)] },
    ]);
    expect(shows[1]).toBe('Multiagent FT after one iteration is worse than the other method:');
    expect(shows[2]).toMatch(/^STaR: −20\.0 points, .*p < 0\.001 by Holm$/);
  });

  it('has among its limits who learnt from gold answers, and where the majority at equal tokens is missing', async () => {
    const { limits } = await found([
      { method: 'debate', iterations: [right(40)] },
      { method: 'star', iterations: [right(40), right(58)] },
      { method: 'multiagent-ft', iterations: [right(40), right(60)], settings: { equal_tokens: false } },
    ]);
    expect(limits).toContain(
      'STaR learnt from the gold answers of the training questions; no other method used any.',
    );
    expect(limits.join(' ')).toContain('The majority at equal tokens was not measured for Debate: ');
  });

  it('is no difference where chance would often make it, with the interval and the p-value', async () => {
    const { shows } = await found([
      { method: 'star', iterations: [right(40), right(58)] },
      { method: 'multiagent-ft', iterations: [right(40), right(60)] },
    ]);
    expect(shows[1]).toContain('is not shown to be better or worse than the other method');
    // 2 : 0, p = 2 * 0.25.
    expect(shows[2]).toMatch(/^STaR: \+2\.0 points, 95 % .* p = 0\.500 by Holm$/);
    expect(shows.join(' ')).not.toMatch(/ is better than/);
  });

  it('is no difference either where a loss of the mean over agents is within chance, whatever agent 1 did', async () => {
    // 60 questions are better by a third and 40 worse by two thirds: p = 0.2. Agent 1 alone was always wrong before.
    const base = times(100, 'WRR');
    const trained = [...times(60, 'RRR>RRR'), ...times(40, 'WWW>WWW')];
    const { shows } = await found([
      { method: 'base', iterations: [base] },
      { method: 'debate', iterations: [trained] },
    ]);
    expect(shows[1]).toContain('not shown');
    expect(shows[2]).toMatch(/^Base: −6\.7 points/);
  });

  it('says whose gains last and whose do not', async () => {
    const { shows } = await found([
      { method: 'single-agent', iterations: [right(30), right(60), right(40)] },
      { method: 'multiagent-ft', iterations: [right(30), right(60), right(80)] },
    ]);
    const at = shows.indexOf(
      'From the first iteration to the last, these went on gaining: the last iteration is better than each one before.',
    );
    expect(shows[at + 1]).toMatch(/^Multiagent FT: \+20\.0 points.*, and best at the end$/);
    expect(shows[at + 2]).toBe('From the first iteration to the last, these fell:');
    expect(shows[at + 3]).toMatch(
      /^Single-agent FT: −20\.0 points.*; best after iteration 1 \(60\.0 %, at the end 40\.0 %\)$/,
    );
  });

  it('says whether a debate beats the majority at equal tokens', async () => {
    const votes = [...times(60, 'RRRRR'), ...times(40, 'WWWWW')];
    const { shows } = await found([{ method: 'debate', iterations: [right(40)], votes: [votes] }]);
    expect(shows.join('\n')).toMatch(
      /Before any training, debating was worse than a majority of as many first answers as cost the same tokens \(40\.0 % against 60\.0 % of 5 answers: −20\.0 points/,
    );
  });

  it('says where a trained debate is worse than the vote over its own first answers', async () => {
    // The first answers are right on 90 of 100; the debate saves 4 others and spoils 18.
    const spoilt = [
      ...times(72, 'RRR>RRR'),
      ...times(18, 'RRW>WWW'),
      ...times(4, 'WWW>RRR'),
      ...times(6, 'WWW>WWW'),
    ];
    const { shows } = await found([
      { method: 'debate', iterations: [right(40)] },
      { method: 'multiagent-ft', iterations: [right(40), spoilt] },
      { method: 'no-critic', iterations: [right(40), spoilt, right(95)] },
    ]);
    const own = 'the vote over the same agents’ first answers (76.0 % against 90.0 %: −14.0 points';
    expect(shows.join('\n')).toContain(
      `After one iteration of Multiagent FT, debating was worse than ${own}`,
    );
    const at = shows.findIndex((sentence) =>
      sentence.startsWith('After training, these debates are worse than'),
    );
    // 4 : 18 has p = 0.0043; three such tests, one of which has no difference.
    expect(shows.slice(at + 1, at + 3)).toEqual([
      expect.stringMatching(/^Multiagent FT after one iteration: .*won 4, lost 18, p = 0\.013 by Holm$/),
      expect.stringMatching(/^w\/o critic after one iteration: .*p = 0\.013 by Holm$/),
    ]);
  });

  it("says which figures differ from the paper's, in an experiment of the paper", async () => {
    const settings = { model: { model_name_or_path: 'microsoft/Phi-3-mini-128k-instruct' } };
    const { shows } = await found([
      { method: 'debate', settings, iterations: [right(96)] },
      { method: 'multiagent-ft', settings, iterations: [right(96), right(60)] },
    ]);
    // Table 1: debate 96.20, multiagent finetuning 99.40.
    const at = shows.indexOf('1 of 2 figures agree with the paper’s within error; these do not:');
    expect(shows[at + 1]).toBe('Multiagent FT after iteration 1: paper 99.4 %, ours −39.4 points');
  });

  it('is that nothing can be compared, with one method', async () => {
    const { shows } = await found([{ method: 'base', iterations: [right(40)] }]);
    expect(shows).toEqual(['Only Base is finished here, so there is nothing to compare yet.']);
  });
});

describe('what is said beside it', () => {
  it('has how much the models of each method had to learn from', async () => {
    const { beside } = await found([
      { method: 'star', iterations: [right(40), right(58), right(60)] },
      { method: 'multiagent-ft', iterations: [right(40), right(60), right(70)] },
    ]);
    const from = beside.indexOf('Rows that a model learnt from in an iteration, on average:');
    // The fixture's 8 rows in the first iteration and 7 in the second.
    expect(beside.slice(from + 1, from + 3)).toEqual(['STaR: generation 8', 'Multiagent FT: generation 8']);
  });

  it('has flips, training votes and diversity of the reference', async () => {
    const { beside, limits } = await found([
      {
        method: 'single-agent',
        iterations: [right(40), right(50)],
        diversity: [diversity(0, 0.4), diversity(1, 0.2)],
      },
      {
        method: 'multiagent-ft',
        iterations: [right(40), [...times(50, 'RWW>RRW'), ...times(50, 'WWW>WWW')]],
        diversity: [diversity(0, 0.4), diversity(1, 0.35)],
      },
    ]);
    // 50 of 250 wrong answers became right, no right one wrong.
    expect(beside[0]).toContain('20.0 % of wrong answers became right and 0.0 % of right ones wrong');
    expect(beside[1]).toBe(
      'In training, the agents of Multiagent FT were unanimous on 40.0 % of the questions; the smallest dataset of a model had 8 rows.',
    );
    expect(beside).toContain('Multiagent FT: 0.350 to 0.350');
    expect(beside).toContain('Single-agent FT: 0.200 to 0.200, lower');
    expect(limits).toContain('Some of the diversity is not measured: this endpoint has no prompt_logprobs');
  });

  it('compares the diversity of methods that learn from as many rows alone, and shows how sure models are by themselves', async () => {
    const likely = (nllOfOthers: number, own: number) => [
      diversityDocument(0, { nllOfOthers, nllOfOwn: own }),
      diversityDocument(1, { nllOfOthers, nllOfOwn: own }),
    ];
    const trained = (method: MethodName, rows: number, diversity: DiversityDocument[]): Script => {
      return { method, iterations: [right(40), right(50)], diversity, rows };
    };
    const { beside } = await found([
      trained('multiagent-ft', 100, likely(0.044, 0.043)),
      trained('no-critic', 95, likely(0.03, 0.029)),
      trained('single-agent', 300, likely(0.02, 0.02)),
    ]);
    expect(beside).toContain('Multiagent FT: 0.044 to 0.044 (0.043 to 0.043)');
    expect(beside).toContain('w/o critic: 0.030 to 0.030 (0.029 to 0.029), lower');
    expect(beside).toContain('Single-agent FT: 0.020 to 0.020 (0.020 to 0.020), other numbers of rows');
  });

  it('says that diversity was not measured, and that one seed is one', async () => {
    const { limits } = await found([{ method: 'debate', iterations: [right(40)] }]);
    expect(limits).toContain('Diversity was not measured.');
    expect(limits.join()).toContain('There is one seed');
    expect(limits.join()).toContain('embedded model');
  });
});

function diversity(iteration: number, dissimilarity: number) {
  return diversityDocument(iteration, { dissimilarity }, { leftOut: 'this endpoint has no prompt_logprobs' });
}

/** An experiment of 500 questions whose debates saved and spoilt so many of its own first votes, by iteration. */
function sentences(...tests: readonly (readonly [wins: number, losses: number, pValue: number])[]): string[] {
  const share = { accuracy: 0.9, standardError: 0.013 };
  const evaluations = tests.map((_, iteration) => ({
    iteration,
    questions: 500,
    single: share,
    majority: share,
    debate: share,
    debateVersusBase: { wins: 0, losses: 0, pValue: 1 },
    cutOff: noneCutOff,
  }));
  const debateVersusMajority = new Map(
    tests.map(([wins, losses, pValue], iteration) => [iteration, { wins, losses, pValue }] as const),
  );
  const data = {
    result: { evaluations },
    models: [],
    labels: [],
    debateVersusMajority,
  } as unknown as ReportData;
  return experimentFindings(data).findings.flatMap(({ shows }) =>
    shows.flatMap(({ sentence, each }) => [sentence, ...each]),
  );
}

it('an experiment says after which iterations its debate was worse than its own first vote, corrected for their number', () => {
  const found = sentences([40, 10, 1e-4], [1, 27, 2e-7], [9, 2, 0.065], [2, 11, 0.022], [4, 18, 0.004]);
  expect(found.join('\n')).toContain('After 4 iterations debating was worse than a vote');
  const at = found.indexOf("Before that, debating was worse than a vote over the agents' first answers too:");
  // 2 : 11 has p = 0.022, and 0.044 as the second of three.
  expect(found.slice(at + 1)).toEqual([
    'After one iteration: 90.0 % against 90.0 %, saved 1, spoilt 27, p < 0.001 by Holm',
    'After 3 iterations: 90.0 % against 90.0 %, saved 2, spoilt 11, p = 0.044 by Holm',
  ]);
  expect(sentences([1, 27, 2e-7], [5, 5, 1], [5, 5, 1]).join('\n')).not.toContain('Before that');
});
