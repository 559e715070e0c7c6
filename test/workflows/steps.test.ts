import { describe, expect, it } from 'vitest';
import { steps } from '../../src/workflows/steps.ts';
import { stepText } from '../../src/workflows/waiting-notes.ts';

const experiment = 'demo';
const agents = [] as const;
const tokens = { prompt: 0, completion: 0 };
const init = {
  base: { endpoint: 'local', name: 'm', revision: null, weights: 'w' },
  tuned: null,
} as const;
const dataset = { uri: 'file:///d.jsonl', sha256: 'a'.repeat(64), bytes: 1, rows: 7 };
const debate = (split: Parameters<typeof steps.debate>[0]['split'], iteration = 2) =>
  steps.debate({ experiment, iteration, split, shard: 3, agents }, 9);

describe('a step that waits for a person', () => {
  it.each([
    [steps.prepare({ experiment, input: null }), 'the preparation (prepare)'],
    [debate('train'), 'the debates of shard 4 of the training questions, iteration 2 (debate-i2-train-s003)'],
    [
      debate('heldout', 0),
      'the debates of shard 4 of the held-out questions, base model (debate-i0-heldout-s003)',
    ],
    [
      debate('vote'),
      'the debates of shard 4 of the held-out questions (more first answers), iteration 2 (debate-i2-vote-s003)',
    ],
    [
      debate('transfer-gsm8k'),
      'the debates of shard 4 of the questions of gsm8k, iteration 2 (debate-i2-transfer-gsm8k-s003)',
    ],
    [
      steps.evaluate({ experiment, iteration: 1, split: 'heldout', tokens, seconds: 1 }),
      'the comparison with the gold answers, iteration 1 (evaluate-i1)',
    ],
    [
      steps.evaluate({ experiment, iteration: 1, split: 'transfer-math', tokens, seconds: 1 }),
      'the comparison with the gold answers of the questions of math, iteration 1 (evaluate-i1-transfer-math)',
    ],
    [
      steps.measureDiversity({ experiment, iteration: 1, shards: 1, agents }),
      'the measurement of how diverse the agents are, iteration 1 (diversity-i1)',
    ],
    [
      steps.buildDatasets({ experiment, iteration: 1, agents: [2], shards: 1 }),
      'the building of the datasets, iteration 1 (datasets-i1-agent2)',
    ],
    [steps.writeResult({ experiment, iterations: 1 }), 'the writing of the result and the report (result)'],
    [steps.closeNight({ experiment, agents }), 'the decision whether the night is carried on (close-night)'],
  ])('is named in words, with its id behind them: %o', (step, text) => {
    expect(stepText(step)).toBe(text);
  });

  it('names the agent and the role of a fine-tune', () => {
    const input = {
      experiment,
      iteration: 1,
      agent: 2,
      role: 'critic',
      dataset,
      init,
    } as const;
    expect(stepText(steps.fineTune(input, [2]))).toBe(
      "the fine-tune of agent 2's critic model, iteration 1 (finetune-i1-agent2-critic)",
    );
  });
});
