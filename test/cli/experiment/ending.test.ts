import { describe, expect, it } from 'vitest';
import { noneCutOff } from '../../../src/algorithm/measures/cost.ts';
import { accuracyTablesText, resultTable } from '../../../src/cli/experiment/ending.ts';
import { writeBytes } from '../../../src/store/blobs.ts';
import { openStore, studyFiles } from '../../../src/store/store.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';

describe('the table for the terminal', () => {
  const evaluation = (iteration: number, debate: number, wins: number, losses: number, pValue: number) => ({
    iteration,
    questions: 500,
    single: { accuracy: 0.614, standardError: 0.0142 },
    majority: { accuracy: 0.74, standardError: 0.0196 },
    debate: { accuracy: debate, standardError: 0.018 },
    debateVersusBase: { wins, losses, pValue },
    cutOff: noneCutOff,
  });
  const evaluations = [evaluation(0, 0.798, 0, 0, 1), evaluation(1, 0.942, 91, 19, 2.2e-12)];

  it('has a row for the base and for each iteration, with errors and the paired test', () => {
    const table = resultTable(evaluations, { colours: false });
    expect(table).toContain('base');
    expect(table).toMatch(
      /iteration 1 .*61\.4 ±1\.4.*74\.0 ±2\.0.*94\.2 ±1\.8.*\+14\.4 points.*91 : 19.*2e-12/,
    );
    expect(table).toContain('500 held-out questions');
  });

  it('has an interval where no answer is right, as 0 of 16 is not 0.0 ± 0.0', () => {
    const none = { accuracy: 0, standardError: 0 };
    const unlucky = {
      ...evaluation(0, 0, 0, 0, 1),
      questions: 16,
      single: none,
      majority: none,
      debate: none,
    };
    const table = resultTable([unlucky], { colours: false });
    expect(table).toMatch(/base .*0\.0 \(0\.0–19\.4\).*0\.0 \(0\.0–19\.4\).*0\.0 \(0\.0–19\.4\)/);
    expect(table).not.toContain('±0.0');
  });

  it('has no escape sequences without colours', () => {
    expect(resultTable(evaluations, { colours: false })).not.toContain('\u001B');
    expect(resultTable(evaluations, { colours: true })).toContain('\u001B[');
  });
});

describe('the tables of a finished study', () => {
  it('have their notes below them, each once', async () => {
    const store = openStore(temporaryFolder('study-tables'));
    const table = (caption: string, notes: string[]) => ({
      caption,
      columns: [{ key: 'method', title: 'Method', unit: null, decimals: 0 }],
      rows: [[{ kind: 'name', text: 'Debate' }]],
      notes,
    });
    const files = studyFiles(store, 'small');
    const write = (name: string, content: object) =>
      writeBytes(files.table(name, 'json'), Buffer.from(JSON.stringify(content)));
    await write('table-1', table('First', ['Intervals of 95 %.', 'Marks: * p < 0.05.']));
    await write('table-2', table('Second', ['Intervals of 95 %.', 'Only here.']));
    const [first = '', second = ''] = await accuracyTablesText(
      store,
      'small',
      ['table-1.json', 'table-2.json'],
      80,
    );
    expect(first).toMatch(/^First\n[^]*Debate[^]*┘\nIntervals of 95 %\.\nMarks: \* p < 0\.05\.$/);
    expect(second).toMatch(/^Second\n[^]*┘\nOnly here\.$/);
  });
});
