import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { requireDocument, writeDocument } from '../../../src/store/files/documents.ts';
import { experimentResultSchema } from '../../../src/store/records/result.ts';
import { experimentFiles, openStore } from '../../../src/store/store.ts';
import { writeEvaluatedExperiment } from '../../report/evaluated-experiment.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { colloquy } from '../colloquy.ts';

const root = temporaryFolder();
const answered = (line: string, prefix = 'q') =>
  line.split('').map((mark, index) => ({ text: `${prefix}${index + 1}`, right: mark === 'x' }));
beforeAll(async () => {
  const write = async (name: string, config: object, ...lines: string[]) =>
    writeEvaluatedExperiment(
      openStore(root).experiment(name).where,
      name,
      lines.map((line) => answered(line)),
      config,
    );
  await write('with', { summarize: true, fine_tune: { lora_r: 8 } }, 'xx..', 'xxx.');
  await write('without', { summarize: false, fine_tune: { lora_r: 8 } }, 'xx..', 'x..xx');
  await writeEvaluatedExperiment(openStore(root).experiment('foreign').where, 'foreign', [
    answered('xx', 'z'),
  ]);
});
beforeEach(() => {
  vi.stubEnv('COLLOQUY_STORE', root);
  vi.stubEnv('NO_COLOR', '1');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('colloquy compare', () => {
  it('shows the settings that differ, which questions were left out, and the figures with the paired test', async () => {
    const { code, out } = await colloquy('compare', 'with', 'without');
    expect(code).toBe(0);
    expect(out).toContain('Settings that differ, with -> without:\n  summarize: true -> false');
    expect(out).not.toContain('lora_r');
    expect(out).toContain('4 held-out questions in both\n  1 only in without, left out: heldout-00004');
    // Three right of four against two; q2 and q3 only here, q4 only there: p = 2 (1 + 3) / 2^3 = 1.
    expect(out).toMatch(
      /iteration 1 (?:.*\n)+.*debate .* 75\.0 ±21\.7 .* 50\.0 ±25\.0 .* −25\.0 .* 2 .* 1 .* 1\.000/,
    );
  });

  it('lists the questions that only one got right, with both answers', async () => {
    const { out } = await colloquy('compare', 'with', 'without', '--questions');
    expect(out).toContain(
      'Only with right, by debate, iteration 1: 2\n  heldout-00001  q2  (gold yes; with: yes; without: no)',
    );
    expect(out).toContain('Only without right, by debate, iteration 1: 1\n  heldout-00003  q4');
    const base = await colloquy('compare', 'with', 'without', '--questions', '--iteration', '0');
    expect(base.out).toContain('Only with right, by debate, base: 0');
  });

  it('takes the last iteration that no guard has rolled back, and says so', async () => {
    const store = openStore(root);
    const lines = ['xx..', 'xxx.', '....'].map((line) => answered(line));
    await writeEvaluatedExperiment(store.experiment('guarded').where, 'guarded', lines);
    await writeEvaluatedExperiment(store.experiment('longer').where, 'longer', lines);
    const { result } = experimentFiles(store, 'guarded');
    const { guard: _, ...finished } = await requireDocument(result, experimentResultSchema);
    const guard = {
      metric: 'accuracy',
      best: 1,
      stopped: 2,
      steps: [],
      rolledBack: [2],
      said: 'Rolled back.',
    };
    await writeDocument(result, { ...finished, guard });
    const { out } = await colloquy('compare', 'guarded', 'longer', '--questions');
    expect(out).toContain(
      'Rolled back by the guard of guarded: iteration 2.\nThe last that stands in both: iteration 1.',
    );
    expect(out).toContain('by debate, iteration 1: 0');
    const asked = await colloquy('compare', 'guarded', 'longer', '--questions', '--iteration', '2');
    expect(asked.out).toContain('by debate, iteration 2: 0');
    expect((await colloquy('compare', 'with', 'without')).out).not.toContain('Rolled back');
  });

  it('prints the same as JSON for programs', async () => {
    const { out } = await colloquy('compare', 'with', 'without', '--questions', '--json');
    expect(JSON.parse(out)).toMatchObject({
      a: 'with',
      b: 'without',
      config: [{ path: 'summarize', before: true, after: false }],
      questions: { common: 4, onlyInA: [], onlyInB: ['heldout-00004'], otherGold: [] },
      iterations: [{ iteration: 0 }, { iteration: 1, tests: { debate: { wins: 2, losses: 1, pValue: 1 } } }],
      differing: { iteration: 1, questions: [{ right: 'a' }, { right: 'a' }, { right: 'b' }] },
    });
  });

  it.each([
    ['experiments without a question in common', 1, ['with', 'foreign'], 'no held-out question in common'],
    ['an experiment that never finished', 1, ['with', 'never'], 'result.json'],
    ['an iteration that only one has', 1, ['with', 'without', '--iteration', '7'], 'There are: 0, 1'],
    ['one experiment alone', 2, ['with'], "missing required argument 'b'"],
  ])('refuses %s', async (_, code, argv, words) => {
    const refused = await colloquy('compare', ...argv);
    expect(refused).toMatchObject({ code, err: expect.stringContaining(words) });
    expect(refused.err).not.toMatch(/^ {4}at /m);
  });
});
