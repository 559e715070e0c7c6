import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parse as parseCsv } from 'csv-parse/sync';
import fc from 'fast-check';
import { h } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { describe, expect, it } from 'vitest';
import { pValues, shareCell } from '../../../src/report/tables/build.ts';
import { Tables } from '../../../src/report/parts/figures.tsx';
import {
  csvOf,
  figure,
  figureText,
  latexOf,
  markdownOf,
  type Table,
  writeTable,
} from '../../../src/report/tables/table.ts';
import { placeAt } from '../../support/places.ts';

const table: Table = {
  name: 'table-1',
  caption: 'Accuracy & cost',
  columns: [
    { key: 'method', title: 'Method', unit: null, decimals: 0 },
    { key: 'math', title: 'MATH', unit: '%', decimals: 1 },
    { key: 'gain', title: 'Gain', unit: 'points', decimals: 1 },
  ],
  rows: [
    [{ kind: 'name', text: 'base' }, figure(34.04, { error: 2.1184 }), { kind: 'absent' }],
    [
      { kind: 'name', text: 'multiagent_ft | 100 %' },
      figure(58.84, { error: 2.2, mark: '**', published: { value: 58.8, error: 2.22, agrees: true } }),
      figure(-0.04),
    ],
    [
      { kind: 'name', text: 'star, "gold"' },
      figure(40, { published: { value: 55.54, error: null, agrees: false } }),
      figure(Number.NaN),
    ],
  ],
  notes: ['** p < 0.01 (McNemar, exact).'],
};

describe('a figure', () => {
  it('is rounded for people, with a true minus sign and no minus zero', () => {
    const said = (value: number) =>
      figureText(
        { kind: 'figure', value, error: null, interval: null, mark: null, published: null },
        table.columns[1]!,
      ).value;
    expect([said(34.04), said(-3.25), said(-0.04), said(0)]).toEqual(['34.0', '−3.3', '0.0', '0.0']);
  });

  it('is a share with an interval, as 0 of 16 is not 0.0 ± 0.0', () => {
    const cell = shareCell({ value: 0, standardError: 0, questions: 16 });
    expect(cell.kind === 'figure' && figureText(cell, table.columns[1]!)).toMatchObject({
      value: '0.0',
      error: '(0.0–19.4)',
    });
  });

  it('is absent when there is no number', () => {
    expect(figure(Number.NaN)).toEqual({ kind: 'absent' });
    expect(figure(Number.POSITIVE_INFINITY)).toEqual({ kind: 'absent' });
  });
});

describe('a table as Markdown', () => {
  it('has a row for each row, with error, mark and the published figure', () => {
    expect(markdownOf(table)).toBe(
      [
        String.raw`**Accuracy \& cost**`,
        '',
        '| Method | MATH, % | Gain, points |',
        '| --- | ---: | ---: |',
        '| base | 34.0 ± 2.1 | – |',
        String.raw`| multiagent\_ft \| 100 % | 58.8\*\* ± 2.2 (58.8 ± 2.2 ✓) | 0.0 |`,
        '| star, "gold" | 40.0 (55.5 ✗) | – |',
        '',
        String.raw`\*\* p \< 0.01 (McNemar, exact).`,
        '',
      ].join('\n'),
    );
  });

  it('has as many cells in every row whatever a name is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const rows = [[{ kind: 'name' as const, text }, figure(1), figure(2)]];
        const line = markdownOf({ ...table, rows }).split('\n')[4]!;
        // A bar that no backslash precedes is the border of a cell.
        expect(line.replace(/\\[^]/g, '').match(/\|/g)).toHaveLength(4);
      }),
    );
  });
});

describe('a table as LaTeX', () => {
  it('has the rules of booktabs and no sign that is a command of its own', () => {
    const lines = latexOf(table).split('\n');
    expect(lines).toContain(String.raw`  \begin{tabular}{lrr}`);
    expect(lines.filter((each) => /^ {4}\\(top|mid|bottom)rule$/.test(each))).toHaveLength(3);
    expect(lines).toContain(String.raw`    Method & MATH, \% & Gain, points \\`);
    expect(lines).toContain(String.raw`    base & 34.0 $\pm$ 2.1 & -- \\`);
    expect(lines).toContain(
      String.raw`    multiagent\_ft \textbar{} 100 \% & 58.8\textsuperscript{{*}{*}} $\pm$ 2.2 (58.8 $\pm$ 2.2) & 0.0 \\`,
    );
    expect(lines).toContain(String.raw`    star, "gold" & 40.0 (\textit{55.5}) & -- \\`);
    expect(lines).toContain(String.raw`  \caption{Accuracy \& cost}`);
  });

  it('lets no name end the table or start a command', () => {
    const rows = [
      [
        { kind: 'name' as const, text: String.raw`\end{tabular}\input{/etc/passwd} % $x$ & ~^_#` },
        figure(1),
        figure(2),
      ],
    ];
    const [line] = latexOf({ ...table, rows })
      .split('\n')
      .filter((each) => each.includes('passwd'));
    expect(line).toBe(
      String.raw`    \textbackslash{}end\{tabular\}\textbackslash{}input\{/etc/passwd\} \% \$x\$ \& \textasciitilde{}\textasciicircum{}\_\# & 1.0 & 2.0 \\`,
    );
  });
});

describe('a table as CSV', () => {
  it('has a probability with all decimals, where people read its power of ten', () => {
    const column = pValues<number>('p', 'p', (p) => p);
    const columns = [column];
    const rows = [[column.cell(0.012345678)], [column.cell(2.5e-9)]];
    const tests = { name: 'tests', caption: 'Tests', columns, rows, notes: [] };
    expect(csvOf(tests)).toBe('p\r\n0.012345678\r\n2.5e-9\r\n');
    expect(markdownOf(tests)).toContain('| 3e-9 |');
  });

  it('has all decimals, and columns of their own for errors, marks and published figures', () => {
    const text = csvOf(table);
    expect(text.endsWith('\r\n')).toBe(true);
    const records: Record<string, string>[] = parseCsv(text, { columns: true });
    expect(records).toEqual([
      row({ method: 'base', math: '34.04', math_error: '2.1184' }),
      row({
        method: 'multiagent_ft | 100 %',
        math: '58.84',
        math_error: '2.2',
        math_mark: '**',
        math_published: '58.8',
        math_published_error: '2.22',
        math_agrees: 'true',
        gain: '-0.04',
      }),
      row({ method: 'star, "gold"', math: '40', math_published: '55.54', math_agrees: 'false' }),
    ]);
  });

  it('gives names back as they are, whatever is in them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        const rows = [[{ kind: 'name' as const, text }, figure(1), figure(2)]];
        const [, record] = parseCsv(csvOf({ ...table, rows }), { bom: false });
        expect(record).toEqual([text, '1', '2']);
      }),
    );
  });

  const row = (cells: Record<string, string>) => ({
    method: '',
    math: '',
    math_error: '',
    math_mark: '',
    math_published: '',
    math_published_error: '',
    math_agrees: '',
    gain: '',
    ...cells,
  });
});

describe('a table in a page', () => {
  it('escapes names, and states in words whether a published figure agrees', () => {
    const rows = [
      [{ kind: 'name' as const, text: '<script>alert(1)</script>' }, figure(1), figure(2)],
      ...table.rows,
    ];
    const html = renderToString(h(Tables, { tables: [{ ...table, rows }] }));
    expect(html).not.toContain('<script');
    expect(html.match(/<tr>/g)).toHaveLength(1 + rows.length);
    expect(html).toContain('<th scope="row">base</th><td>34.0<span class="se"> ± 2.1</span></td><td>–</td>');
    expect(html).toContain('58.8<sup>**</sup>');
    expect(html).toContain('aria-label="agrees"');
    expect(html).toContain('aria-label="differs"');
  });
});

describe('a table in files', () => {
  it('is written in four forms, and JSON gives it back', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'colloquy-table-'));
    try {
      const files = await writeTable(table, (name, format) => placeAt(join(folder, `${name}.${format}`)));
      expect(files.map(({ where }) => basename(where))).toEqual([
        'table-1.csv',
        'table-1.json',
        'table-1.md',
        'table-1.tex',
      ]);
      expect(JSON.parse(await readFile(join(folder, 'table-1.json'), 'utf8'))).toEqual(table);
      expect(await readFile(join(folder, 'table-1.csv'), 'utf8')).toBe(csvOf(table));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
