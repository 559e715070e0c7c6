import { expect, it } from 'vitest';
import { configDifference, resolveConfig } from '../../src/config/resolve.ts';

it('finds the settings in which two configs differ, and only those', () => {
  const before = resolveConfig({});
  const after = resolveConfig({ seed: 2, task: { ranges: { a: [1, 5] } }, fine_tune: { lora_r: 4 } });
  expect(configDifference(before, after)).toEqual([
    { path: 'fine_tune.lora_r', before: 8, after: 4 },
    { path: 'seed', before: 0, after: 2 },
    { path: 'task.ranges.a', before: [2, 19], after: [1, 5] },
  ]);
  expect(configDifference(before, resolveConfig({}))).toEqual([]);
});

it('gives undefined for a config that does not have a setting', () => {
  const differences = configDifference({ task: { kind: 'a', n: 1 } }, { task: { kind: 'b' } });
  expect(differences).toEqual([
    { path: 'task.kind', before: 'a', after: 'b' },
    { path: 'task.n', before: 1, after: undefined },
  ]);
});
