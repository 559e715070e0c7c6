/** An experiment whose agents have base models of their own, on two endpoints, and whose summariser is another model. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { exportModels } from '../../src/export/models.ts';
import { finishedIteration } from '../../src/export/finished-iteration.ts';
import { openDebaters } from '../../src/serve/debaters.ts';
import type { Model } from '../../src/store/models.ts';
import { openStore } from '../../src/store/store.ts';
import { testDependencies } from '../support/test-dependencies.ts';
import { workflowRig } from '../support/workflow-rig.ts';

/** A line of the instant engine's `--asked`. */
type Asked = {
  readonly base: string;
  readonly model: string;
  readonly temperature: number;
  readonly summarises: boolean;
};

it('an experiment asks each agent on its own base model, trains each from its own, and has another model summarise', async () => {
  await using rig = await workflowRig('own-models');
  const file = (...path: string[]) => readFile(join(rig.storeRoot, ...path), 'utf8');
  const local = (model_name_or_path: string) => ({ endpoint: 'local', model_name_or_path });
  const handle = await rig.start('mixed', {
    iterations: 2,
    init_from: 'base',
    summarize: true,
    agents: [{}, { model: local('second'), sampling: { temperature: 0.5 } }, {}],
    summarizer: { model: local('summary'), sampling: { temperature: 0 } },
  });
  const result = await handle.result();
  const made = result.iterations.flatMap(({ fineTunes }) => fineTunes);
  const keys = (...agents: number[]) =>
    made.flatMap(({ agent, model }) => (agents.includes(agent) ? [model!] : []));
  expect([keys(1, 3).length, keys(2).length]).toEqual([8, 4]);

  // The engines of the endpoint `local`; the others answer at the endpoint `instant`.
  const asked = (await file('asked-of-engines.jsonl'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Asked);
  const ofBase = (name: string) => asked.filter(({ base }) => base === name);
  expect(new Set(ofBase('summary').map((each) => JSON.stringify(each)))).toEqual(
    new Set([JSON.stringify({ base: 'summary', model: 'summary', temperature: 0, summarises: true })]),
  );
  const second = ofBase('second');
  expect(second.every(({ temperature, summarises }) => temperature === 0.5 && !summarises)).toBe(true);
  const named = (key: string) => second.some(({ model }) => model.includes(key.slice(0, 16)));
  expect(second.some(({ model }) => model === 'second')).toBe(true);
  expect([keys(2).map(named), keys(1, 3).map(named)]).toEqual([
    [true, true, true, true],
    keys(1, 3).map(() => false),
  ]);

  const startOf = async (key: string) => {
    const request = JSON.parse(await file('models', `${key}.request.json`)) as { init: Model };
    const { base, tuned } = request.init;
    return [base.endpoint, base.name, tuned];
  };
  expect(await Promise.all(keys(2).map(startOf))).toEqual(keys(2).map(() => ['local', 'second', null]));
  expect(await Promise.all(keys(1, 3).map(startOf))).toEqual(
    keys(1, 3).map(() => ['instant', 'instant', null]),
  );
  const begun = JSON.parse(await file('mixed', 'begun-with.json')) as { models: { base: Model['base'] }[] };
  expect(begun.models.map(({ base }) => base.name)).toEqual(['instant', 'second', 'summary']);
  expect(await file('mixed', 'report.html')).toMatch(/Agent 2<\/th><td><code>second/);

  const store = openStore(rig.storeRoot);
  const exported = join(rig.storeRoot, 'exported');
  await exportModels(store, await finishedIteration(store, 'mixed', undefined), exported);
  const baseOf = async (agent: number) =>
    /base_model: (.*)/.exec(await file('exported', `agent-${agent}-generation`, 'README.md'))?.[1];
  expect([await baseOf(1), await baseOf(2)]).toEqual(['instant', 'second']);

  const dependencies = testDependencies({ storeRoot: rig.storeRoot, engineUrl: rig.engine.url });
  const debaters = await openDebaters(
    store,
    { experiment: 'mixed', iteration: undefined },
    dependencies.endpoints,
  );
  try {
    const debated = async () =>
      (await file('asked-of-engines.jsonl')).trim().split('\n').length - asked.length;
    const { answers } = await debaters.debate('1+2*3+4-5*6', {
      sampling: { max_tokens: 64 },
      signal: AbortSignal.timeout(60_000),
    });
    // Agent 2 in two rounds, and three summaries.
    expect([answers.length, await debated()]).toEqual([3, 5]);
  } finally {
    await debaters.close();
    await dependencies.close();
  }
}, 240_000);
