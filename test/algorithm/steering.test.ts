import { describe, expect, it } from 'vitest';
import {
  changeableNow,
  changeableSettings,
  changeHoldsFrom,
  freshBudget,
  further,
  nothingUsed,
  raisedLimits,
  secondsWithin,
  usedUp,
  withLimits,
  withTime,
  withTokens,
} from '../../src/algorithm/steering.ts';
import { experimentDifference, resolveConfig } from '../../src/config/resolve.ts';
import { budgetOutlook } from '../../src/config/estimate.ts';
import { budgetText, progressTable, usedUpText } from '../../src/workflows/progress-table.ts';
import { secondsWorked } from '../../src/workflows/progress.ts';
import { limitsFault } from '../../src/workflows/updates.ts';
import { currentDetails } from '../../src/workflows/waiting-notes.ts';
import { aProgress } from '../support/a-progress.ts';

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

const limited = freshBudget({ tokens: 100, wall_seconds: 60 }, nothingUsed);

describe('a budget', () => {
  it('is used up by the step that reaches a limit, and not before', () => {
    expect(usedUp(withTokens(limited, 99))).toEqual([]);
    expect(usedUp(withTokens(limited, 100))).toEqual(['tokens']);
    expect(usedUp(withTime(limited, 60, true))).toEqual(['wall_seconds']);
    expect(usedUp(withTime(withTokens(limited, 101), 61, true))).toEqual(['tokens', 'wall_seconds']);
  });

  it('counts the tokens of steps that are found finished once', () => {
    const before = freshBudget({ tokens: 500 }, { ...nothingUsed, tokens: 300 });
    expect(withTokens(before, 200).used.tokens).toBe(300);
    expect(withTokens(withTokens(before, 200), 150).used.tokens).toBe(350);
  });

  it('counts time on the device only in the phases that use it', () => {
    expect(withTime(limited, 5, false).used).toEqual({ tokens: 0, device_seconds: 0, wall_seconds: 5 });
    expect(secondsWithin(freshBudget({ device_seconds: 7 }, nothingUsed), false)).toBe(Infinity);
    expect(secondsWithin(freshBudget({ device_seconds: 7, wall_seconds: 9 }, nothingUsed), true)).toBe(7);
  });

  it('counts no time while the experiment is paused, or all of it waits for a person', () => {
    const at = '2026-11-23T00:00:00.000Z';
    const later = Date.parse(at) + 90_000;
    expect(secondsWorked(aProgress({ at }), later)).toBe(90);
    expect(secondsWorked(aProgress({ at, state: 'paused', inFlight: 0 }), later)).toBe(0);
    expect(secondsWorked(aProgress({ at, state: 'parked', inFlight: 0 }), later)).toBe(0);
  });

  it('knows the greater of two counts, kind by kind', () => {
    const [a, b] = [
      { tokens: 5, device_seconds: 1, wall_seconds: 9 },
      { tokens: 4, device_seconds: 2, wall_seconds: 9 },
    ];
    expect(further(a, b)).toEqual({ tokens: 5, device_seconds: 2, wall_seconds: 9 });
  });

  it('is raised by twice the limit that is used up, and always above what is used', () => {
    expect(raisedLimits(withTokens(limited, 120))).toEqual({ tokens: 220 });
    expect(raisedLimits(withTokens(limited, 100))).toEqual({ tokens: 200 });
  });

  it('keeps the limits that a request does not name, and loses those that are null', () => {
    expect(withLimits({ tokens: 100, wall_seconds: 60 }, { tokens: 7 })).toEqual({
      tokens: 7,
      wall_seconds: 60,
    });
    expect(withLimits({ tokens: 100, wall_seconds: 60 }, { tokens: null })).toEqual({ wall_seconds: 60 });
  });
});

describe('a request for a budget', () => {
  const budget = withTokens(limited, 100);
  it.each([
    [{ tokens: 101 }, undefined],
    [{ tokens: null, wall_seconds: 10 }, undefined],
    [{ tokens: 100 }, /^tokens must be above the 100 tokens that are used, not 100\. .* pause it\.$/],
    [{ tokens: '200' }, /^tokens must be a number above 0, or null for no limit, not "200"\.$/],
    [{ tokens: -1 }, /above 0/],
    [{ token: 200 }, /^"token" is no limit of a budget: expected tokens, device_seconds and wall_seconds\.$/],
    [{}, /^Expected an object of limits/],
    [[], /^Expected an object of limits/],
    [undefined, /^Expected an object of limits.*not undefined\.$/],
  ])('of %j is judged', (given, fault) => {
    const found = limitsFault(given, { budget });
    expect(found ?? 'none').toMatch(fault ?? /^none$/);
  });

  it('is refused where nothing was counted', () => {
    expect(limitsFault({ tokens: 5 }, {})).toMatch(/without a budget/);
  });
});

describe('a used-up budget', () => {
  const budget = { limits: { tokens: 1_200_000 }, used: { ...nothingUsed, tokens: 1_204_331 }, counted: 0 };
  const waiting = [
    {
      step: 'budget',
      words: 'all',
      reason: `BudgetUsedUp: ${usedUpText(budget)}`,
      since: '2026-11-23T01:00:00.000Z',
    },
  ];
  const progress = aProgress({ state: 'parked', inFlight: 0, waiting, budget });

  it('is said with what was used, the limit and the commands that raise it', () => {
    expect(budgetText(budget)).toBe('1,204,331 of 1,200,000 tokens');
    expect(progressTable(progress)).toMatchObject({
      'waits for a person': 'yes: the budget is used up',
      'what to do': 'to go on: colloquy set-budget demo tokens=2404331',
      budget: '1,204,331 of 1,200,000 tokens',
    });
    const details = currentDetails(progress);
    expect(details).toContain('The budget is used up (2026-11-23 01:00 UTC): 1,204,331 of 1,200,000 tokens');
    expect(details).toContain('--name setBudget --input \'{"tokens":2404331}\'');
    expect(details).not.toContain('retry');
  });

  it('is shown beside steps that could not be done', () => {
    const failed = {
      step: 'x',
      words: 'the debates',
      reason: 'EngineUnreachable: no',
      since: '2026-11-23T01:00:00.000Z',
    };
    const both = aProgress({ state: 'parked', inFlight: 0, waiting: [...waiting, failed], budget });
    expect(progressTable(both)['waits for a person']).toBe(
      'yes: the budget is used up; 1 step could not be done',
    );
    expect(currentDetails(both)).toContain('colloquy retry demo');
  });
});

describe('the budget of a config', () => {
  it('is compared with the estimate', () => {
    const expected = { tokens: { read: 600, written: 300 }, trainedTokens: 100, seconds: null };
    expect(budgetOutlook({ tokens: 2000 }, expected)).toEqual([
      'budget.tokens: 2,000; the estimate is 1,000, 50 % of it',
    ]);
    expect(budgetOutlook({ tokens: 500 }, expected)[0]).toMatch(
      /200 % of it: the experiment will probably wait/,
    );
    expect(budgetOutlook({ wall_seconds: 60 }, expected)[0]).toMatch(/not known here/);
    expect(budgetOutlook({ wall_seconds: 60 }, { ...expected, seconds: 30 })[0]).toMatch(/50 % of it/);
  });

  it('makes no other experiment of it', () => {
    const config = resolveConfig({});
    expect(experimentDifference(config, { ...config, budget: { tokens: 5 } })).toEqual([]);
    expect(experimentDifference({ budget: { tokens: 1 } }, { budget: { tokens: 5 } })).toEqual([]);
  });

  it.each([
    [{ tokens: 0 }, /budget\.tokens/],
    [{ hours: 1 }, /budget\.hours|hours/],
  ])('%j is refused', (budget, message) => {
    expect(() => resolveConfig({ budget })).toThrow(message);
  });
});
