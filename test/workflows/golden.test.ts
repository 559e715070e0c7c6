/**
 * What small experiments make, kept for good in test/golden. A change of the code must not change any text of it. After a change that is
 * meant to make other experiments (of `seedFor` or of a prompt, say), `npx vitest run test/workflows/golden.test.ts -u` writes it again.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { methodNames, methods, type MethodName } from '../../src/algorithm/methods.ts';
import { tablesOf } from '../support/tables-of.ts';
import { type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

/** What an experiment with a method has that the small experiment has not. */
const more: Partial<Record<MethodName, object>> = {
  // All that a debate can have: another iteration, a third round, summaries, and a majority at equal tokens beside it.
  'multiagent-ft': { iterations: 2, rounds: 3, summarize: true, equal_tokens: true },
  'single-agent': { iterations: 2, summarize: true, agents: 4, max_others: 2 },
};

describe.concurrent('an experiment with the method', () => {
  let rig: WorkflowRig;
  beforeAll(async () => {
    rig = await workflowRig('golden');
  }, 120_000);
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  async function tablesAsText(name: string, settings: object): Promise<string> {
    const handle = await rig.start(name, settings);
    await handle.result();
    return `${JSON.stringify(await tablesOf(join(rig.storeRoot, name)), null, 2)}\n`;
  }

  it.for(methodNames)(
    '%s makes the debates, datasets and outcomes that it always made',
    { timeout: 120_000 },
    async (method, { expect }) => {
      // As it was when these were written.
      const settings = { critic_mixture: 'sample', method, ...methods[method].fixes, ...more[method] };
      await expect(await tablesAsText(method, settings)).toMatchFileSnapshot(`../golden/${method}.json`);
    },
  );

  it(
    'multiagent-ft, with the rows of critics weighed, makes the debates, datasets and outcomes that it always made',
    { timeout: 120_000 },
    async ({ expect }) => {
      const text = await tablesAsText('weight', { critic_mixture: 'weight' });
      await expect(text).toMatchFileSnapshot('../golden/multiagent-ft-weight.json');
    },
  );
});
