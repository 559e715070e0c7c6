import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeStudyPage, writeStudyReport } from '../../src/report/write.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import { experimentFiles, openStore, studyFiles } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { madeUpStudy } from './made-up-study.ts';
import { type Script, times, writeScriptedStudy } from './scripted-study.ts';

const folder = temporaryFolder();
const store = openStore(folder);
let studies = 0;

async function reported(scripts: readonly Script[], damage: (study: string) => void = () => {}) {
  const study = `r${++studies}`;
  const cells = await writeScriptedStudy(store, study, scripts);
  damage(study);
  const files = await writeStudyReport(store, study, cells);
  const own = studyFiles(store, study);
  return {
    study,
    files,
    html: readFileSync(own.report.where, 'utf8'),
    table: (name: string) => readFileSync(join(own.folder.where, name), 'utf8'),
    names: readdirSync(own.folder.where),
  };
}

const right = (count: number) => [...times(count, 'RRR>RRR'), ...times(20 - count, 'WWW>WWW')];
const hostile = '</pre><script>alert(1)</script> | `x` \\end{tabular} [a](javascript:1)\n# b';

describe("a study's report", () => {
  it('of all methods is one page that runs nothing and asks for nothing', async () => {
    const scripts = madeUpStudy({
      columns: ['one', 'two'],
      methods: ['base', 'debate', 'multiagent-ft', 'single-agent', 'cooperative'],
      seeds: 2,
      iterations: 2,
      questions: 12,
    });
    const { html, names } = await reported(scripts);
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).not.toMatch(/<script|<link|<img|<iframe|src=["']|url\(|@import/i);
    const addresses = html.match(/https?:\/\/[^"' )<]+/g) ?? [];
    expect(addresses.filter((url) => !url.startsWith('http://www.w3.org/'))).toEqual([]);
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
    for (const section of [
      'Accuracy over iterations',
      'Do gains last?',
      'Diversity',
      'Flips and agreement',
      'Transfer',
    ])
      expect(html, section).toMatch(new RegExp(`<h2 id="[a-z-]+">${section.replace('?', '\\?')}</h2>`));
    for (const name of ['table-1', 'table-2', 'table-1-last', 'other-methods', 'comparisons', 'cost'])
      for (const ending of ['csv', 'json', 'md', 'tex']) expect(names).toContain(`${name}.${ending}`);
  }, 60_000);

  it('prints Table 1 in the order of the paper, with marks and the majority at equal tokens', async () => {
    const { table } = await reported([
      { method: 'base', iterations: [times(20, 'WWW')] },
      { method: 'debate', iterations: [right(10)], votes: [times(20, 'RRRRR')] },
      { method: 'multiagent-ft', iterations: [right(10), right(18)] },
    ]);
    // 18 : 0 against the base (Holm 3 * 2 * 2^-18), 8 : 0 against the debate (2 * 2 * 2^-8 = .0156), 0 : 2 against the vote.
    expect(
      table('table-1.csv')
        .split('\r\n')
        .map((line) => line.split(',').slice(0, 2).join(',')),
    ).toEqual([
      'method,task',
      'Base,0',
      'Majority at equal tokens (of 5),100',
      'Debate,50',
      'Multiagent FT,90',
      'Multiagent FT: vote over first answers,90',
      '',
    ]);
    expect(JSON.parse(table('table-1.json')).rows.map((row: { mark?: string }[]) => row[1]!.mark)).toEqual([
      '***',
      null,
      '*',
      null,
      // Votes of trained agents are tested beside their own debate.
      null,
    ]);
  });

  it('marks no cell with a test of another iteration than it shows', async () => {
    const { table } = await reported([
      { method: 'star', iterations: [right(2), right(3), right(4)] },
      { method: 'multiagent-ft', iterations: [right(2), right(16), right(17), right(18)] },
    ]);
    const marks = (name: string) =>
      JSON.parse(table(name)).rows.map((row: { mark?: string }[]) => row[1]!.mark);
    // STaR, the reference, and the vote of each one's agents.
    expect(marks('table-1.json')).toEqual(['***', null, null, null]);
    // After two iterations each it would be ***, but the third of multiagent finetuning is shown.
    expect(marks('table-1-last.json')).toEqual([null, null, null, null]);
  });

  it("prints the paper's figure beside ours, and whether the two agree", async () => {
    const settings = { model: { model_name_or_path: 'microsoft/Phi-3-mini-128k-instruct' } };
    const { table, html } = await reported([
      { method: 'debate', settings, iterations: [right(19)] },
      { method: 'multiagent-ft', settings, iterations: [right(19), right(10)] },
    ]);
    // Table 1 for Phi-3, arithmetic: 96.20 and 99.40.
    expect(table('table-1.md')).toMatch(/Debate \| 95\.0.*\(96\.2 ✓\)/);
    expect(table('table-1.md')).toMatch(/Multiagent FT \| 50\.0.*\(99\.4 ✗\)/);
    expect(html).toContain('It is an experiment of the paper.');
  });

  it('is written of what is there: one method, one seed, no iteration', async () => {
    for (const method of ['base', 'star', 'multiagent-ft', 'unique-id'] as const) {
      const { html } = await reported([{ method, iterations: [right(7)] }]);
      expect(html).toContain('there is nothing to compare yet');
      expect(html).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  it('is written before anything is finished, and says what is missing and why', async () => {
    const study = `r${++studies}`;
    const cells = ['a', 'b'].map((each) => ({
      name: `${study}-task-star-${each}`,
      experiment: 'task',
      method: 'star',
      seed: 0,
    }));
    await writeDocument(studyFiles(store, study).study, { formatVersion: 1, name: study, cells });
    await writeStudyReport(store, study, [], [{ name: cells[0]!.name, reason: hostile }]);
    const html = readFileSync(studyFiles(store, study).report.where, 'utf8');
    expect(html).toContain('nothing can be said yet');
    expect(html).toContain('&lt;script>alert(1)&lt;/script>');
    expect(html).toContain(`<code>${cells[1]!.name}</code>: not finished`);
  });

  it('is without an experiment whose outcomes are gone or damaged, and says so', async () => {
    const damaged = (study: string, method: string) =>
      experimentFiles(store, `${study}-task-${method}-s0`).outcomes(0).where;
    const { html } = await reported(
      [
        { method: 'base', iterations: [right(5)] },
        { method: 'majority', iterations: [right(6)] },
        { method: 'debate', iterations: [right(7)] },
      ],
      (study) => {
        rmSync(damaged(study, 'base'));
        writeFileSync(damaged(study, 'majority'), 'not a row\n');
      },
    );
    expect(html).toContain('What is missing');
    expect(html.match(/<li><code>r\d+-task-(base|majority)-s0/g)).toHaveLength(2);
    expect(html).toContain('3 experiments, 1 of them finished');
  });

  it('links to the pages of experiments that have them', async () => {
    const { html, study } = await reported([{ method: 'debate', iterations: [right(7)] }], (name) =>
      writeFileSync(experimentFiles(store, `${name}-task-debate-s0`).report.where, 'a page'),
    );
    expect(html).toContain(`href="../../${study}-task-debate-s0/report.html"`);
    expect(html).not.toContain('debates.html');
  });

  it('escapes what a config or a server says', async () => {
    const scripts = madeUpStudy({
      methods: ['debate', 'multiagent-ft'],
      seeds: 1,
      iterations: 1,
      questions: 8,
      settings: { model: { model_name_or_path: hostile } },
    });
    const { html, table } = await reported(
      scripts.map((script) => ({
        ...script,
        diversity: script.diversity!.map((each) => ({ ...each, encoder: hostile, leftOut: hostile })),
      })),
    );
    expect(html).not.toContain('<script');
    expect(table('diversity.tex').match(/\\end\{tabular\}/g)).toHaveLength(1);
    expect(table('diversity.md')).not.toMatch(/^# b/m);
  });

  it('is the same, byte for byte, when it is written again', async () => {
    const scripts = madeUpStudy({
      methods: ['debate', 'multiagent-ft'],
      seeds: 2,
      iterations: 1,
      questions: 10,
    });
    const study = `r${++studies}`;
    const cells = await writeScriptedStudy(store, study, scripts);
    const once = await writeStudyReport(store, study, cells);
    const before = once.map((file) => readFileSync(file.where, 'utf8'));
    await writeStudyReport(store, study, cells);
    expect(once.map((file) => readFileSync(file.where, 'utf8'))).toEqual(before);
  });
});

describe("a study's page of the documentation", () => {
  const about = { machine: 'two cores', date: '2026-11-25', command: 'npx tsx x' };
  const target = { page: join(folder, 'docs', 'page.md'), images: join(folder, 'docs', 'images') };

  it('is written from the store alone, with pictures that carry their own colours', async () => {
    const study = `r${++studies}`;
    const settings = { model: { model_name_or_path: `a\n  \`\`\`\n${hostile}` } };
    await writeScriptedStudy(store, study, madeUpStudy({ seeds: 1, iterations: 2, questions: 10, settings }));
    const [page, ...images] = await writeStudyPage(store, study, target, about);
    const text = readFileSync(page!, 'utf8');
    expect(text).toContain('Finished 2026-11-25, on two cores.');
    expect(text).toContain(`](images/${study}-arithmetic-accuracy.svg)`);
    expect(text).not.toMatch(/NaN|undefined/);
    // The config's fence is longer than what would end it.
    expect(text).toContain('\n````yaml\n');
    expect(images.length).toBeGreaterThan(4);
    for (const image of images) {
      const svg = readFileSync(image, 'utf8');
      for (const [variable] of svg.matchAll(/var\(--[a-z0-9-]+\)/g))
        expect(svg, variable).toContain(`${variable.slice(4, -1)}:`);
    }
  });

  it('of a study that was never started is refused, with the place that was looked at', async () => {
    await expect(writeStudyPage(store, 'nothing', target, about)).rejects.toThrow(
      expect.objectContaining({
        name: 'StudyNotFound',
        message: expect.stringContaining('studies/nothing/study.json'),
      }),
    );
  });
});
