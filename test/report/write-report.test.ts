import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeReport } from '../../src/report/write.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import type { ExperimentResult } from '../../src/store/records/result.ts';
import { writeFinishedExperiment } from './finished-experiment.ts';
import { experimentAt, placeAt } from '../support/places.ts';

describe('the report of a finished experiment', () => {
  const hostileText = '</pre><script>alert(1)</script><img src=x onerror=alert(2)>';
  let folder: string;
  let html: string;
  let result: ExperimentResult;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colloquy-report-'));
    result = await writeFinishedExperiment(folder, {
      name: 'a-<b>bold</b>-name',
      questions: 500,
      iterations: 3,
      hostileText,
    });
    const at = '2026-01-01T00:00:00.000Z';
    const changes = [
      { at, fromIteration: 2, path: 'fine_tune.learning_rate', before: 0.0003, after: 0.0001 },
      { at, fromIteration: 3, path: 'trainer', after: hostileText },
    ];
    await writeDocument(placeAt(join(folder, 'result.json')), { ...result, changes });
    const leftOut = {
      what: 'questions whose gold answer cannot be read',
      count: 12,
      examples: [hostileText],
    };
    await writeDocument(placeAt(join(folder, 'questions', 'left-out.json')), {
      formatVersion: 1,
      leftOut: [leftOut],
    });
    html = await readFile(await writeReport(experimentAt(folder)), 'utf8');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('is one file that runs nothing and asks for nothing', () => {
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).not.toMatch(/<script|<link|<img|<iframe|src=["']|url\(|@import/i);
    expect(html).toContain("default-src 'none'");
    // The only addresses are names of XML's languages, which nothing fetches.
    expect(
      html.match(/https?:\/\/[^"' )<]+/g)?.filter((url) => !url.startsWith('http://www.w3.org/')),
    ).toEqual([]);
  });

  it('begins with a list of its sections, each of which is there', () => {
    const listed = [...html.matchAll(/<a href="#([^"]+)">([^<]+)<\/a>/g)].map(([, id, title]) => [id, title]);
    const sections = [...html.matchAll(/<h2 id="([^"]+)">([^<]+)<\/h2>/g)].map(([, id, title]) => [
      id,
      title,
    ]);
    expect(listed).toEqual(sections);
    expect(sections.slice(0, 3).map(([, title]) => title)).toEqual([
      'Accuracy',
      'Accuracy by agent',
      'What it shows',
    ]);
  });

  it('shows the accuracy of each agent, whose mean is that of a single answer', () => {
    const section = html.slice(html.indexOf('id="accuracy-by-agent"'));
    const rows = [...section.matchAll(/<th scope="row">Agent \d<\/th>(.*?)<\/tr>/g)].slice(0, 3);
    const firstOfBase = rows.map(([, cells]) => Number(/<td>([\d.]+) %/.exec(cells!)?.[1]));
    const mean = firstOfBase.reduce((sum, each) => sum + each, 0) / 3;
    expect(mean).toBeCloseTo(result.evaluations[0]!.single.accuracy * 100, 1);
  });

  it('links to the browser of debates beside it, and to each debate there', () => {
    expect(html).toContain('<a href="debates.html">');
    expect(html).toMatch(/<a href="debates\.html#i3\/heldout-\d{5}">/);
  });

  it('escapes what a model wrote and what the experiment is called', () => {
    expect(html).toContain('&lt;script>alert(1)&lt;/script>');
    expect(html).not.toContain(hostileText);
    expect(html).not.toContain('<b>bold');
  });

  it('draws the accuracies and the losses of both roles as SVG, for wide and for narrow screens', () => {
    expect(html.match(/<svg/g)).toHaveLength(6);
    for (const method of ['single', 'majority', 'debate'])
      expect(html).toContain(`stroke="var(--${method})"`);
    expect(html).not.toContain('NaN');
  });

  it('has the figures, the datasets, the debates, the config and the versions', () => {
    const last = result.evaluations.at(-1)!;
    expect(html).toContain(`${(last.debate.accuracy * 100).toFixed(1)} %`);
    expect(html).toContain(`${last.debateVersusBase.wins} : ${last.debateVersusBase.losses}`);
    for (const text of [
      'Saved by debate',
      'Spoilt by debate',
      'Ties',
      '65 of 70',
      'did not move (3.0e-7)',
      '0.00030',
      'critic_weight: 0.5',
      '20.20.2',
    ]) {
      expect(html.includes(text), text).toBe(true);
    }
    expect(html).toContain('careless on purpose');
  });

  it('says how debating did against a vote over the same first answers, before and after', () => {
    const shows = html.replaceAll('\u00a0', ' ');
    for (const when of ['Before any training', 'After 3 iterations'])
      expect(shows).toMatch(
        new RegExp(
          `${when} debating was (better than|worse than|about as good as) a vote .* it saved \\d+ questions .* spoilt \\d+: p [<=] `,
        ),
      );
  });

  it('has the settings that were changed while it ran, with both values and the first iteration', () => {
    const text = html.replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');
    expect(text).toContain('Setting Before After From iteration');
    expect(text).toContain('fine_tune.learning_rate 0.0003 0.0001 2');
    expect(text).toMatch(/trainer not set .*&lt;script.* 3 /);
  });

  it('has the questions that were left out, and why', () => {
    expect(html).toContain('12 questions whose gold answer cannot be read, for example:');
  });

  it('is the same, byte for byte, when it is written again', async () => {
    await writeReport(experimentAt(folder));
    expect(await readFile(join(folder, 'report.html'), 'utf8')).toBe(html);
  });

  it('is refused for an experiment that has not finished, with the place that was looked at', async () => {
    const empty = join(folder, 'nothing');
    await expect(writeReport(experimentAt(empty))).rejects.toThrow(
      expect.objectContaining({ name: 'NothingToReport', message: expect.stringContaining(empty) }),
    );
  });

  it.each([
    ['multiagent-ft', 'critic'],
    ['no-critic', 'generation'],
  ])('names the model that answers in each round, by the roles of %s', async (method, second) => {
    const ofMethod = join(folder, method);
    await writeFinishedExperiment(ofMethod, { questions: 40, iterations: 1, config: { method, rounds: 2 } });
    const page = await readFile(await writeReport(experimentAt(ofMethod)), 'utf8');
    expect(new Set(page.match(/round \d · \w+ model/g))).toEqual(
      new Set(['round 1 · generation model', `round 2 · ${second} model`]),
    );
  });

  it('is also written when only the base model was evaluated', async () => {
    const onlyBase = join(folder, 'base');
    await writeFinishedExperiment(onlyBase, { questions: 40, iterations: 0 });
    const page = await readFile(await writeReport(experimentAt(onlyBase)), 'utf8');
    expect(page).toContain('Nothing was trained');
    expect(page).not.toContain('NaN');
    expect(page).not.toContain('changed while it ran');
  });
});
