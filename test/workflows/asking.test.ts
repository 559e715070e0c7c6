/** How agents are asked, as a whole experiment does it: temperatures by iteration, and debates that end when all agree. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

describe('an experiment', () => {
  let rig: WorkflowRig;
  beforeAll(async () => {
    rig = await workflowRig('asking');
  }, 120_000);
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });
  const file = (...path: string[]) => readFile(join(rig.storeRoot, ...path), 'utf8');

  it('debates training questions at the temperature of the iteration, and measures at the last one', async () => {
    const settings = {
      iterations: 2,
      model: { endpoint: 'local' },
      sampling: { temperature: [1.5, 0.75, 0.5] },
    };
    await (await rig.start('annealed', settings)).result();
    const requests = (await file('asked-of-engines.jsonl')).trim().split('\n');
    const counts = new Map<number, number>();
    for (const line of requests) {
      const { temperature } = JSON.parse(line) as { temperature: number };
      counts.set(temperature, (counts.get(temperature) ?? 0) + 1);
    }
    // 16 questions, three agents, two rounds: the debates of iteration 1, of iteration 2, and three evaluations.
    expect([1.5, 0.75, 0.5].map((each) => counts.get(each))).toEqual([96, 96, 3 * 96]);
  });

  it('ends debates after round 1 on which all agree, and says what that saved', async () => {
    const { earlyStops = [] } = await (await rig.start('stops', { stop_when_unanimous: true })).result();
    expect(earlyStops.map(({ iteration, set }) => [iteration, set])).toEqual([
      [0, 'heldout'],
      [1, 'train'],
      [1, 'heldout'],
    ]);
    for (const { counts, tokensSaved } of earlyStops) {
      expect(counts.debates).toBe(16);
      expect(tokensSaved).toBeCloseTo(
        (counts.stoppedTokens * counts.laterTokens) / counts.firstRoundTokens,
        6,
      );
    }
    expect(await file('stops', 'report.html')).toMatch(/\d+ of 48 debates ended after round 1/);
    expect(await (await rig.start('no-stops')).result()).not.toHaveProperty('earlyStops');
  });

  it('asks on demand for more first answers, of which generation models make pairs', async () => {
    const fine_tune = { objective: { generation: 'dpo' } };
    const settings = { fine_tune, min_pairs: 1, pairs: 'own', seed: 6 };
    const sampled = await (await rig.start('sampled', { ...settings, samples: 4 })).result();
    const plain = await (await rig.start('unsampled', { ...settings, pairs: 'group' })).result();
    const pairs = ({ iterations }: typeof plain) =>
      iterations[0]!.datasets
        .filter(({ role }) => role === 'generation')
        .map(({ parts }) => parts['pairs']!.used);
    // Its own answers are compared: without samples an agent would have one of a question.
    expect(pairs(sampled)).toEqual(pairs(sampled).map((used) => Math.max(1, used)));
    // The debates, their labels and what critics learn from stay as they are.
    const debates = (name: string) => file(name, 'iteration-1', 'debates', 'shard-000.jsonl');
    expect(await debates('sampled')).toBe(await debates('unsampled'));
    expect(sampled.iterations[0]!.consensus).toEqual(plain.iterations[0]!.consensus);
    const critic = (name: string) => file(name, 'iteration-1', 'datasets', 'agent-2-critic.jsonl');
    expect(await critic('sampled')).toBe(await critic('unsampled'));
    // 16 questions, three agents with 4 more answers each; their first answers were not asked for again.
    const samples = (await file('sampled', 'iteration-1', 'samples', 'shard-000.jsonl')).trim().split('\n');
    for (const line of samples)
      expect((JSON.parse(line) as { answers: unknown[] }).answers).toHaveLength(3 + 3 * 4);
    expect(sampled.tokens.debate.completion).toBeGreaterThan(plain.tokens.debate.completion);
    expect(sampled.tokens.evaluation).toEqual(plain.tokens.evaluation);
    const [row = '{}'] = (await file('sampled', 'iteration-1', 'datasets', 'agent-1-generation.jsonl')).split(
      '\n',
    );
    expect(Object.keys(JSON.parse(row) as object).toSorted()).toEqual(['chosen', 'prompt', 'rejected']);
  });
});
