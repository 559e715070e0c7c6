import { describe, expect, it } from 'vitest';
import { differences, parsePage, stepsOf, writtenPage } from '../../scripts/docs-output/page.ts';
import { play } from '../../scripts/docs-output/play.ts';
import { projectRoot } from '../../src/config/installation.ts';
import { docPages, readPage } from '../support/doc-pages.ts';

const page = [
  'Words.',
  '<!-- machine -->',
  'somewhere',
  '<!-- /machine -->',
  '```sh run exit=2',
  'echo one; exit 2',
  '```',
  'More words, and what is not run:',
  '```sh',
  'rm -r everything',
  '```',
  '```text output',
  'old',
  '```',
  '```sh run until="ready"',
  'serve',
  '```',
  '```text output first=1 last=1',
  '```',
  '```text output from="┌"',
  '```',
  '```text output from="b" lines=2',
  '```',
  '',
].join('\n');

describe('a page whose commands are run', () => {
  it('has its commands in order, and leaves others alone', () => {
    expect(stepsOf(parsePage(page))).toEqual([
      { commands: 'echo one; exit 2', line: 5, exit: 2 },
      { commands: 'serve', line: 15, exit: 0, until: 'ready' },
    ]);
  });

  it('gets what each command has printed, whole or in part, and stays as it is elsewhere', () => {
    const written = writtenPage(parsePage(page), ['one\n', 'a\nb\n┌ c\nd\n\n'], 'here and now');
    expect(written).toContain('<!-- machine -->\nhere and now\n<!-- /machine -->');
    expect(written).toContain('```text output\none\n```');
    expect(written).toContain('```text output first=1 last=1\na\n...\nd\n```');
    expect(written).toContain('```text output from="┌"\n...\n┌ c\nd\n```');
    expect(written).toContain('```text output from="b" lines=2\n...\nb\n┌ c\n...\n```');
    expect(written).toContain('```sh\nrm -r everything\n```');
    expect(parsePage(written).map(({ kind }) => kind)).toEqual(parsePage(page).map(({ kind }) => kind));
  });

  it('names the line of a word that is not known, and of an output without a command', () => {
    expect(() => parsePage('\n```sh run fast\n```\n')).toThrow('line 2: "fast" is not known here');
    expect(() => parsePage('```text output\n```\n')).toThrow('line 1: an output without a command');
  });

  it('differs in words and figures, and not in times, dates, ports and lines of progress', () => {
    const before = '│ base │ 82.4 ±1.7 │\n10:11:12  iteration 1\ntook 12.5 s on 2026-11-29 at 127.0.0.1:7233';
    const after = '│ base │ 82.4 ±1.7 │\ntook 9 s on 2027-01-02 at 127.0.0.1:4000';
    expect(differences(before, after, true)).toEqual([]);
    expect(differences(before, after.replace('82.4', '82.6'), true)).toEqual([
      '- │ base │ 82.4 ±1.7 │',
      '+ │ base │ 82.6 ±1.7 │',
    ]);
    expect(differences(before, after.replace('base', 'bass'), false)).toHaveLength(2);
    expect(differences(before, `one more\n${after}`, true)).toEqual(['+ one more']);
    expect(differences(`${before}\none more`, after, true)).toEqual(['- one more']);
  });

  it('differs in no figure where another processor rounds otherwise', () => {
    expect(differences('│ base │ 82.4 ±1.7 │', '│ base  │ 82.6 ±1.65 │', false)).toEqual([]);
  });

  it.each(docPages.filter((each) => readPage(each).includes('```sh run')))(
    '%s has all of its outputs with when and where they were printed, or none',
    (each) => {
      const parts = parsePage(readPage(each));
      const texts = parts.flatMap((part) => (part.kind === 'output' ? [part.text.trim()] : []));
      const [machine] = parts.filter(({ kind }) => kind === 'machine');
      const wasRun = machine?.text.startsWith('Printed on 20');
      expect(machine?.text).toMatch(/^Printed on 20|^\(not run yet\)$/);
      expect(texts.filter((text) => (text === '') === wasRun)).toEqual([]);
    },
  );
});

describe('the commands of a page', () => {
  it('run in a fresh copy of the project, one after the other, with what was exported before', async () => {
    const printed = await play(
      stepsOf(
        parsePage(
          [
            '```sh run\nexport WORD=carried; ls package.json runs 2>&1 || true\n```',
            '```sh run until="waits"\necho $WORD waits; sleep 600\n```',
            '```sh run kill="killed"\necho to be killed; sleep 600\n```',
            '```sh run exit=3\npwd; exit 3\n```\n',
          ].join('\n'),
        ),
      ),
      projectRoot,
      () => undefined,
    );
    expect(printed[0]).toContain('package.json');
    expect(printed[0]).toMatch(/runs.*No such file/);
    expect(printed.slice(1)).toEqual(['carried waits\n', 'to be killed\n', '/home/me/colloquy\n']);
  });

  it('are reported with their line and output when they fail', async () => {
    const failing = stepsOf(parsePage('\n```sh run\necho why; false\n```\n'));
    await expect(play(failing, projectRoot, () => undefined)).rejects.toThrow(
      /line 2: ended with 1, not 0:\nwhy/,
    );
  });
});
