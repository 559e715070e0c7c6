import { describe, expect, it } from 'vitest';
import { SetupProblem, setUp, type Step } from '../../scripts/setup/set-up.mjs';

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

  it('prints how far a step has come while it works', async () => {
    const lines: string[] = [];
    let enough = (): void => {};
    const shown = new Promise<void>((resolve) => (enough = resolve));
    const build: Step = {
      ...step('Temporal CLI'),
      plan: async () => ({
        progress: () => '640 of 1243 packages compiled',
        carryOut: async () => {
          await shown;
          return { result: 'temporal', note: 'built' };
        },
      }),
    };
    const print = (line: string): void => {
      lines.push(line);
      if (/640 of 1243 packages compiled, after \d+\.\d s/.test(line)) enough();
    };
    await setUp([build], print, { progressMs: 1 });
    expect(lines.at(-1)).toMatch(/Temporal CLI +\d+\.\d s +built/);
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
