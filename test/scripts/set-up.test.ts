import { describe, expect, it } from 'vitest';
import { SetupProblem } from '../../scripts/setup/problem.mjs';
import { setUp, type Step } from '../../scripts/setup/set-up.mjs';

describe('the set-up', () => {
  it('carries out only the steps that are not current, and prints one line for a step that takes no time', async () => {
    const lines: string[] = [];
    const done = await setUp([step('npm packages', { current: true }), step('Temporal CLI')], (line) =>
      lines.push(line),
    );
    expect(Object.keys(done)).toEqual(['npm packages', 'Temporal CLI']);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/npm packages +\d+\.\d s +was there/);
    expect(lines[1]).toMatch(/Temporal CLI +\d+\.\d s +made/);
  });

  it('names everything that is missing at once, before it begins anything', async () => {
    const begun: string[] = [];
    const steps = [
      step('npm packages', { onCarryOut: () => begun.push('npm') }),
      step('Python packages', { missing: 'no Python' }),
      step('Temporal CLI', { missing: 'no Go' }),
    ];
    const failure: unknown = await setUp(steps, () => {}).catch((error: unknown) => error);
    expect((failure as AggregateError).errors.map(String)).toEqual([
      'SetupProblem: no Python',
      'SetupProblem: no Go',
    ]);
    expect(begun).toEqual([]);
  });

  function step(
    name: string,
    facts: { current?: boolean; missing?: string; onCarryOut?: () => void } = {},
  ): Step {
    return {
      name,
      key: name,
      current: () => (facts.current ? { result: name, note: 'was there' } : null),
      plan: async () => {
        if (facts.missing !== undefined) throw new SetupProblem(facts.missing, 'install it');
        return {
          carryOut: async () => {
            facts.onCarryOut?.();
            return { result: name, note: 'made' };
          },
        };
      },
    };
  }
});
