import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveConfig } from '../../../src/config/resolve.ts';
import { writeFinishedExperiment } from '../../report/finished-experiment.ts';
import { colloquy } from '../colloquy.ts';

let store: string;
beforeAll(async () => {
  store = await mkdtemp(join(tmpdir(), 'colloquy-estimate-'));
  await writeFinishedExperiment(join(store, 'done'), {
    name: 'done',
    questions: 96,
    iterations: 1,
    config: resolveConfig({}),
  });
});
afterAll(() => rm(store, { recursive: true, force: true }));
beforeEach(() => {
  vi.stubEnv('COLLOQUY_STORE', store);
  vi.stubEnv('NO_COLOR', '1');
});
afterEach(() => vi.unstubAllEnvs());

async function estimated(...argv: string[]) {
  const { code, out, err } = await colloquy('estimate', ...argv, '--json');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as {
    requests: number;
    tokens: { read: number; written: number; trained: number };
    time: Record<'answers' | 'fineTunes', { seconds: number; from: string } | null>;
    money: Record<string, number | null>;
  };
}

describe('colloquy estimate', () => {
  it('says nothing of time and money that was neither measured nor given', async () => {
    const { requests, time, money } = await estimated('quickstart', 'model.model_name_or_path=some/other');
    expect(requests).toBe(17_400);
    expect(time).toEqual({ answers: null, fineTunes: null });
    expect(money['total']).toBeNull();
    const { out } = await colloquy(
      'estimate',
      'quickstart',
      'model.model_name_or_path=some/other',
      '--price-hour',
      '3',
    );
    expect(out).toContain('--tokens-per-second is not given');
    expect(out).toContain('hours of the machine have a price, and their number is not known');
  });

  it('takes the speed of an experiment with the same models, and names it', async () => {
    const { time, tokens } = await estimated('quickstart');
    expect(time.answers?.from).toBe('at the speed of the experiment done');
    const result = JSON.parse(await readFile(join(store, 'done', 'result.json'), 'utf8'));
    const written = result.tokens.debate.completion + result.tokens.evaluation.completion;
    const seconds = result.seconds.debate + result.seconds.evaluation;
    expect(time.answers?.seconds).toBeCloseTo((tokens.written * seconds) / written, 6);
    const { out } = await colloquy('validate', 'quickstart');
    expect(out).toContain('at the speed of the experiment done');
  });

  it('computes time and money from speeds and prices that are given', async () => {
    const speeds = ['--tokens-per-second', '1000', '--training-tokens-per-second', '500'];
    const prices = ['--price-in', '2', '--price-out', '8', '--price-training', '25', '--price-hour', '3.6'];
    const { tokens, time, money } = await estimated('quickstart', ...speeds, ...prices);
    const hours = (tokens.written / 1000 + tokens.trained / 500) / 3600;
    expect(time.answers).toEqual({
      seconds: tokens.written / 1000,
      from: 'at the 1,000 tokens a second that you gave',
    });
    expect(money['hours']).toBeCloseTo(hours * 3.6, 9);
    expect(money['total']).toBeCloseTo(
      (tokens.read * 2 + tokens.written * 8 + tokens.trained * 25) / 1e6 + hours * 3.6,
      9,
    );
  });

  it('needs no endpoint that is known here, and no training to be timed where there is none', async () => {
    const { time } = await estimated('quickstart', 'model.endpoint=elsewhere', 'iterations=0');
    expect(time.fineTunes).toEqual({ seconds: 0, from: 'nothing is trained' });
  });

  it.each([
    ['--tokens-per-second', '0'],
    ['--price-in', '-1'],
    ['--price-hour', 'much'],
  ])('refuses %s %s', async (option, value) => {
    expect((await colloquy('estimate', 'quickstart', option, value)).code).toBe(2);
  });
});
