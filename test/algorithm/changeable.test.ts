import { describe, expect, it } from 'vitest';
import { changeableNow, changeableSettings, changeHoldsFrom } from '../../src/algorithm/changeable.ts';
import { resolveConfig } from '../../src/config/resolve.ts';

describe('a changed setting', () => {
  it.each([
    ['fine_tune.learning_rate', 'debating', 2],
    ['fine_tune.learning_rate', 'fine-tuning', 2],
    ['fine_tune.learning_rate', 'evaluating', 3],
    ['fine_tune.learning_rate', 'distilling', 2],
    ['distill.from', 'distilling', null],
    ['fine_tune.objective', 'debating', 2],
    ['fine_tune.objective.critic', 'fine-tuning', 3],
    ['fine_tune.beta', 'fine-tuning', 2],
    ['pairs', 'building datasets', 3],
    ['critic_weight', 'debating', 2],
    ['critic_weight', 'building datasets', 3],
    ['min_votes', 'fine-tuning', 3],
    ['diversity.questions', 'evaluating', 2],
    ['truncate_dialogues', 'evaluating', 2],
    ['carry_over.max_drop', 'reporting', 2],
    ['fine_tune.lora_r', 'reporting', null],
    ['rounds', 'debating', null],
    ['sampling.max_tokens', 'evaluating', null],
    ['seed', 'debating', null],
    ['fine_tuned', 'debating', null],
  ])('%s, while iteration 2 is %s, holds from iteration %s on', (path, phase, from) => {
    expect(changeHoldsFrom(path, { iteration: 2, phase })).toBe(from);
  });

  it('is none before the experiment is prepared', () => {
    expect(changeableNow({ iteration: 0, phase: 'preparing' })).toEqual(['carry_over.max_drop', 'report_to']);
    expect(changeableNow({ iteration: 1, phase: 'fine-tuning' })).toContain('fine_tune.…');
  });

  it('is a setting of a config', () => {
    const config = resolveConfig({
      max_votes: 3,
      trainer: 'local',
      report_to: 'tensorboard',
      carry_over: { series: 's' },
    });
    for (const path of Object.keys(changeableSettings)) {
      const value = path
        .split('.')
        .reduce<unknown>((below, key) => (below as Record<string, unknown>)[key], config);
      expect(value, path).toBeDefined();
    }
  });
});
