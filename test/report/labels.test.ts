/** How reports show how right labels were and what was learnt from them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeReport, writeStudyReport } from '../../src/report/write.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import type { LabelsDocument } from '../../src/store/records/rows.ts';
import { experimentFiles, openStore, studyFiles } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { writeFinishedExperiment } from './finished-experiment.ts';
import { times, writeScriptedStudy } from './scripted-study.ts';
import { experimentAt } from '../support/places.ts';

const folder = temporaryFolder();
const none = { right: 0, of: 0 };
const row = (
  questionId: string,
  votes: number,
  right: boolean,
  learnt: NonNullable<LabelsDocument['rows'][number]['learnt']>,
): LabelsDocument['rows'][number] => ({
  questionId,
  votes,
  tied: 1,
  right,
  chosen: { right: right ? 3 : 0, of: 3 },
  rejected: none,
  learnt,
});
const side = (right: number, of: number) => ({ right, of });
/** Five labels of two rounds of three agents. Four are learnt from, three of which are right. */
const judged = (iteration: number, rejected = none): LabelsDocument => ({
  iteration,
  ofVotes: 6,
  minVotes: 4,
  rows: [
    row('a', 6, true, [
      { role: 'generation', chosen: side(3, 3), rejected: none },
      { role: 'critic', chosen: side(3, 3), rejected: none },
    ]),
    row('b', 6, true, [{ role: 'generation', chosen: side(2, 2), rejected: none }]),
    row('c', 4, true, [{ role: 'generation', chosen: side(2, 2), rejected: none }]),
    row('d', 4, false, [{ role: 'generation', chosen: side(0, 2), rejected }]),
    row('e', 3, false, []),
  ],
});
const older = (document: LabelsDocument): LabelsDocument => {
  const { ofVotes: _, ...rest } = document;
  return { ...rest, rows: document.rows.map(({ learnt: __, ...each }) => each) };
};
const textOf = (html: string) =>
  html
    .slice(html.indexOf('<body'))
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll('\u00a0', ' ')
    .replaceAll(/\s+/g, ' ');

describe('the report of an experiment', () => {
  let experiments = 0;
  const reported = async (documents: readonly LabelsDocument[]): Promise<string> => {
    const place = join(folder, `experiment-${++experiments}`);
    await writeFinishedExperiment(place, { questions: 20, iterations: 2 });
    for (const each of documents) await writeDocument(experimentAt(place).labels(each.iteration), each);
    return textOf(readFileSync(await writeReport(experimentAt(place)), 'utf8'));
  };

  it('says how right the rows were that agents learnt from, with the table of them', async () => {
    const text = await reported([judged(1), judged(2)]);
    // 10 of 12 rows. By question: 6 of 6, 2 of 2, 2 of 2, 0 of 2.
    const error = (100 * Math.sqrt(1 ** 2 + 2 * (1 / 3) ** 2 + (5 / 3) ** 2)) / 12;
    expect(text).toContain(
      `What the agents learnt from was right in 83.3 % (±${error.toFixed(1)}) of 12 rows in iteration 1 and in 83.3 % (±${error.toFixed(1)}) of 12 in iteration 2, judged by gold answers that only measured.`,
    );
    expect(text).toContain('How right the labels were');
    expect(text).toMatch(/Iteration Model Right 1 generation 7 of 9 77.8 ±/);
    // One question alone is what the critics learnt from.
    expect(text).toContain('critic 3 of 3 100.0 (20.7–100.0)');
  });

  it('has the share of right labels by their votes, beside their share of the votes, and the calibration error', async () => {
    const text = await reported([judged(1)]);
    expect(text).toMatch(
      /Iteration Votes Of all votes Labels Right Learnt from 1 3 of 6 50.0 % 1 0 of 1 0.0 \([^)]*\) no 1 4 of 6 66.7 % 2 1 of 2 50.0 ±35.4 yes 1 6 of 6 100.0 % 2 2 of 2 100.0 \([^)]*\) yes/,
    );
    // (2 (2/3 - 1/2) + 1/2 + 0) / 5 = 16.7 %; mean share of the votes 23/30.
    expect(text).toMatch(/1 3 of 5 60.0 ±21.9 76.7 % 16.7 % ±\d+\.\d 3 of 4 75.0 ±21.7/);
  });

  it('counts both sides of pairs', async () => {
    const text = await reported([judged(1, side(1, 2))]);
    expect(text).toMatch(/was right in 78.6 % \(±[\d.]+\) of 14 sides of rows, judged by gold answers/);
    expect(text).toContain(
      'A side is right when an answer to imitate or to prefer is right, or one to avoid is wrong.',
    );
    expect(text).toMatch(/generation 8 of 11 72.7 ±[\d.]+ 7 of 9 77.8 ±[\d.]+ 1 of 2 50.0/);
  });

  it('of an earlier version has the labels without the rows, and without any document says nothing of them', async () => {
    const before = await reported([older(judged(1))]);
    expect(before).toMatch(/Learnt from 1 3 of 3 100.0 %/);
    expect(before).not.toContain('What models learnt from');
    expect(before).not.toContain('What the agents learnt from was right');
    expect(await reported([])).not.toContain('How right the labels were');
  });
});

describe('the report of a study', () => {
  it('has the rows of all seeds in a table, and the calibration of their votes', async () => {
    const store = openStore(folder);
    const right = [times(8, 'RRR>RRR'), times(9, 'RRR>RRR')];
    const cells = await writeScriptedStudy(store, 'judged', [
      { method: 'multiagent-ft', iterations: right, seed: 0 },
      { method: 'multiagent-ft', iterations: right, seed: 1 },
    ]);
    for (const { name } of cells)
      await writeDocument(experimentFiles(store, name).labels(1), judged(1, side(1, 2)));
    await writeStudyReport(store, 'judged', cells);
    const own = studyFiles(store, 'judged');
    const table = (name: string) =>
      readFileSync(join(own.folder.where, `${name}.csv`), 'utf8')
        .trim()
        .split('\n');
    const [head, generation, critic] = table('learnt').map((line) => line.split(','));
    const cell = (line: readonly string[] | undefined, key: string) =>
      line?.[head!.findIndex((each) => each === key)];
    expect([cell(generation, 'role'), cell(critic, 'role')]).toEqual(['generation', 'critic']);
    expect(cell(generation, 'sides')).toBe('22');
    expect(Number(cell(generation, 'right'))).toBeCloseTo((100 * 8) / 11, 9);
    expect(Number(cell(generation, 'chosen_right'))).toBeCloseTo((100 * 7) / 9, 9);
    expect(Number(cell(generation, 'rejected_wrong'))).toBeCloseTo(50, 9);
    // Seeds share the questions: twice the answers do not make the error smaller.
    const errors = [
      [3, 3],
      [2, 2],
      [2, 2],
      [1, 4],
    ].map(([y, x]) => (y! - (8 / 11) * x!) ** 2);
    const error = (100 * Math.sqrt(errors.reduce((sum, each) => sum + each, 0))) / 11;
    expect(Number(cell(generation, 'right_error'))).toBeCloseTo(error, 9);
    const [titles, figures] = table('calibration').map((line) => line.split(','));
    const figure = (key: string) => Number(figures![titles!.findIndex((each) => each === key)]);
    expect(figure('labels')).toBe(10);
    expect(figure('expected')).toBeCloseTo((100 * 23) / 30, 9);
    expect(figure('error')).toBeCloseTo(100 / 6, 9);
    const text = textOf(readFileSync(own.report.where, 'utf8'));
    expect(text).toMatch(
      /What Multiagent FT learnt from was right in 78.6 % \(±[\d.]+\) of 28 sides of rows/,
    );
  });
});
