import { describe, expect, it } from 'vitest';
import type { ExperimentConfig } from '../../../src/config/experiment.ts';
import { resolveConfig } from '../../../src/config/resolve.ts';
import {
  agreement,
  differencesFromPaper,
  paperSetting,
  publishedFigure,
} from '../../../src/report/analyse/paper.ts';

const config = (settings: object): ExperimentConfig => resolveConfig({ preset: 'paper', ...settings });
const model = (name: string) => ({ model: { model_name_or_path: name } });
const phi3 = model('microsoft/Phi-3-mini-128k-instruct');
const setting = (name: string, task: 'arithmetic' | 'gsm8k' | 'math' | 'math-all-levels', agents = 3) => ({
  model: name,
  task,
  agents,
});

describe("the paper's experiment that one of ours is", () => {
  it.each([
    ['microsoft/Phi-3-mini-128k-instruct', 'phi-3-mini'],
    ['/models/Mistral-7B-Instruct-v0.2/', 'mistral-7b'],
    ['meta-llama/Meta-Llama-3-8B', 'llama-3-8b'],
    ['gpt-3.5-turbo-0125', 'gpt-3.5'],
  ])('is known by the model: %s', (name, expected) => {
    expect(paperSetting(config(model(name)))).toEqual({ model: expected, task: 'arithmetic', agents: 3 });
  });

  it.each([
    ['another model of the family', model('meta-llama/Meta-Llama-3-8B-Instruct')],
    ['a model of no family', model('engine/models/tiny-arithmetic')],
    ['a name that only contains one', model('my-gpt-3.5-turbo-clone')],
    ['other arithmetic', { ...phi3, task: { kind: 'arithmetic', form: 'a+b' } }],
    ['other numbers', { ...phi3, task: { kind: 'arithmetic', ranges: { a: [0, 9] } } }],
    ['questions of a file', { ...phi3, task: { kind: 'jsonl', train_file: 'math.jsonl' } }],
    ['more rounds', { ...phi3, rounds: 3 }],
  ])('is none for %s: nothing is guessed', (_, settings) => {
    expect(paperSetting(config(settings))).toBeNull();
  });

  it('has one round where its method has no debate', () => {
    expect(paperSetting(config({ ...phi3, method: 'star' }))).not.toBeNull();
  });

  it('differs from ours in what is said, and not in what the method fixes', () => {
    expect(differencesFromPaper(config({ ...phi3, method: 'no-summary' }))).toEqual([]);
    expect(differencesFromPaper(config({ ...phi3, sampling: { temperature: 0.7 } }))).toEqual([
      'sampling.temperature 0.7 (paper: 1)',
    ]);
  });
});

describe("the paper's figures", () => {
  // The paper's Table 1 and Table 2, its curve over iterations, Tables 4 and 6.
  it.each([
    [setting('phi-3-mini', 'arithmetic'), 'multiagent-ft', 1, 0.994],
    [setting('mistral-7b', 'gsm8k'), 'debate', 0, 0.526],
    [setting('llama-3-8b', 'math'), 'single-agent-no-debate', 1, 0.488],
    [setting('phi-3-mini', 'math'), 'multiagent-ft', 5, 0.66],
    [setting('phi-3-mini', 'math', 5), 'multiagent-ft', 1, 0.604],
    [setting('llama-3-8b', 'math-all-levels'), 'multiagent-ft', 1, 0.342],
  ] as const)('say %o %s after iteration %d: %d', (of, method, iteration, accuracy) => {
    expect(publishedFigure(of, method, iteration)?.accuracy).toBeCloseTo(accuracy, 12);
  });

  it('are none where the paper has none', () => {
    expect(publishedFigure(setting('llama-3-8b', 'gsm8k'), 'star', 1)).toBeNull();
    expect(publishedFigure(setting('phi-3-mini', 'math'), 'multiagent-ft', 0)).toBeNull();
    expect(publishedFigure(setting('phi-3-mini', 'math'), 'star', 2)).toBeNull();
    expect(publishedFigure(setting('phi-3-mini', 'math', 7), 'multiagent-ft', 1)).toBeNull();
  });

  it('are of 1,000 questions for GPT-3.5 on GSM8K, and of 500 otherwise', () => {
    expect(publishedFigure(setting('gpt-3.5', 'gsm8k'), 'debate', 0)?.questions).toBe(1000);
    expect(publishedFigure(setting('gpt-3.5', 'math'), 'debate', 0)?.questions).toBe(500);
  });

  it('agree with ours up to 1.96 standard errors of the difference', () => {
    // sqrt(.5 * .5 / 500) = .0223607 on both sides: 1.96 * .0316228 = .0619806.
    const published = { accuracy: 0.5, questions: 500, table: 'Table 1' };
    const standardError = Math.sqrt(0.25 / 500);
    expect(agreement({ accuracy: 0.561, standardError }, published)).toMatchObject({ agrees: true });
    expect(agreement({ accuracy: 0.437, standardError }, published)).toMatchObject({ agrees: false });
    expect(agreement({ accuracy: 0.5, standardError }, published).within).toBeCloseTo(0.0619806, 7);
  });
});
