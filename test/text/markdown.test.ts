import { describe, expect, it } from 'vitest';
import { fenced, githubText, markdownTable, markdownText, tableCell } from '../../src/text/safe-text.ts';

describe('a table in Markdown', () => {
  it('has a head, a rule that aligns, and a line for each row', () => {
    expect(markdownTable(['Method', 'Right'], [['base', '34.0']], ['left', 'right'])).toBe(
      ['| Method | Right |', '| --- | ---: |', '| base | 34.0 |'].join('\n'),
    );
  });

  it('without a head has an empty one, as wide as its rows', () => {
    expect(markdownTable(null, [['state', 'running']])).toBe(
      ['| | |', '| --- | --- |', '| state | running |'].join('\n'),
    );
  });

  it('keeps a cell in its place, whatever is written in it', () => {
    const hostile = 'a | b\n| --- |';
    for (const cell of [markdownText(hostile), githubText(hostile), tableCell(hostile)])
      expect(cell.replace(/\\[^]/g, '')).not.toMatch(/[|\n]/);
  });
});

describe('text of others in a line', () => {
  it('is no link, no picture, no HTML, no heading and no emphasis', () => {
    expect(markdownText('![a](b) <b> # *c* `d` _e_ ~f~')).toBe(
      String.raw`\!\[a\](b) \<b\> \# \*c\* \`d\` \_e\_ \~f\~`,
    );
  });

  it('is no formula on GitHub', () => {
    expect(githubText('$x$')).toBe(String.raw`\$x\$`);
  });
});

describe('a block of code', () => {
  it('has a fence that is longer than any row of backticks in it', () => {
    expect(fenced('a', 'yaml')).toBe('```yaml\na\n```');
    expect(fenced('a\n````\nb')).toBe('`````\na\n````\nb\n`````');
  });
});
