import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { differences } from '../scripts/docs-output/page.ts';
import { runPage } from '../scripts/docs-output/written.ts';
import { experimentFromConfig, studyFromConfig } from '../src/cli/arguments.ts';
import { loadEndpoints } from '../src/config/endpoints.ts';
import { projectRoot } from '../src/config/installation.ts';
import { loadTrainers } from '../src/config/trainers.ts';
import { createTasks, loadQuestions } from '../src/questions/open-task.ts';
import { createScorer, loadScorers } from '../src/questions/scorer.ts';

/** `npm run test:examples` runs the commands of all of their pages. */
const example = (...path: string[]) => join(projectRoot, 'examples', ...path);

describe('the examples', () => {
  it.each([
    ['own-questions/till.yaml', { train: 200, heldOut: 200, validation: 0 }],
    ['own-scorer/count.yaml', { train: 31, heldOut: 121, validation: 0 }],
    ['nights-with-a-guard/night.yaml', { train: 128, heldOut: 200, validation: 100 }],
    ['many-hosts/many.yaml', { train: 64, heldOut: 64, validation: 0 }],
  ])('%s is an experiment whose questions can be read', async (file, counts) => {
    const { config } = experimentFromConfig(example(file), []);
    const tasks = createTasks(loadScorers({ COLLOQUY_SCORERS: example('own-scorer', 'scorers.yaml') }));
    const { train, heldOut, validation } = await loadQuestions(tasks.open(config.task), config.seed);
    await tasks.close();
    expect({ train: train.length, heldOut: heldOut.length, validation: validation.length }).toEqual(counts);
  });

  it('has a study of two methods that learn, with two seeds', () => {
    const { study } = studyFromConfig(example('study-of-two-methods', 'two-methods.yaml'), []);
    expect(study.cells.map(({ method, seed }) => `${method} ${seed}`).toSorted()).toEqual([
      'debate 0',
      'debate 1',
      'majority-ft 0',
      'majority-ft 1',
      'multiagent-ft 0',
      'multiagent-ft 1',
    ]);
  });

  it('has endpoints and trainers for many hosts', () => {
    const files = {
      COLLOQUY_ENDPOINTS: example('many-hosts', 'endpoints.yaml'),
      COLLOQUY_TRAINERS: example('many-hosts', 'trainers.yaml'),
    };
    expect(Object.keys(loadEndpoints(files))).toContain('local');
    expect(Object.keys(loadTrainers(files))).toEqual(['local']);
  });

  it.each(['folder.env', 's3.env'])('%s of many hosts names files that exist', (file) => {
    const text = readFileSync(example('many-hosts', file), 'utf8');
    const named = [...text.matchAll(/=(examples\S+)$/gm)].map(([, path = '']) => path);
    expect(named).toHaveLength(2);
    for (const path of named) expect(readFileSync(join(projectRoot, path), 'utf8')).toContain('local:');
  });

  it('has a scorer that takes a number in the range, and nothing else', async () => {
    const scorers = loadScorers({ COLLOQUY_SCORERS: example('own-scorer', 'scorers.yaml') });
    const scorer = createScorer('within-one', scorers['within-one']!);
    const judged = (answer: string) => scorer.correct(answer, { answer: '30 to 32' }, '2+5*6-1');
    expect(await Promise.all(['29', '30', '32', '33', 'thirty'].map(judged))).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
    await scorer.close();
  });

  const scratch = mkdtempSync(join(tmpdir(), 'colloquy-examples-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it.each(['own-questions', 'own-scorer'])('%s has the questions that its script writes', (name) => {
    cpSync(example(name, 'make-questions.mjs'), join(scratch, name, 'make-questions.mjs'));
    const made = spawnSync(process.execPath, [join(scratch, name, 'make-questions.mjs')], {
      encoding: 'utf8',
    });
    expect(made.stderr).toBe('');
    for (const file of readdirSync(join(scratch, name)).filter((each) => each.endsWith('.jsonl')))
      expect(readFileSync(join(scratch, name, file), 'utf8')).toBe(readFileSync(example(name, file), 'utf8'));
  });

  it('print what the page of the cheapest shows', { timeout: 600_000 }, async () => {
    const { before, after, sameMachine } = await runPage(
      projectRoot,
      'examples/own-scorer/README.md',
      () => undefined,
    );
    expect(differences(before, after, sameMachine)).toEqual([]);
  });
});
