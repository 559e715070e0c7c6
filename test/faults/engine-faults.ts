/** An engine that refuses, fails, talks nonsense or forgets. */
import type { EngineFault } from '../support/instant-engine.ts';
import { until } from '../support/until.ts';
import type { Fault } from './fault.ts';
import { everyPair, type OneWorldTable } from './fault-table.ts';
import { moments } from './moments.ts';

const words: Readonly<Record<EngineFault, string>> = {
  busy: '429 with retry-after',
  overloaded: '503 with retry-after',
  failed: 'status 500',
  reset: 'connection closed in the middle of an answer',
  'no JSON': 'an answer that is not JSON',
  'another model': 'an answer of another model',
  'no choices': 'an answer without choices',
  'invalid UTF-8': 'bytes that are not UTF-8',
  slow: 'an answer that takes 3 s',
};

const spoiling = (fault: EngineFault): Fault => ({
  name: `engine: ${words[fault]}`,
  strike: async ({ engine }) => {
    const { spoilt } = await engine.state();
    await engine.tell({ fault, times: 1 });
    await engine.tell({ release: true });
    await until('an answer was spoilt', async () => (await engine.state()).spoilt > spoilt);
  },
});

const forgetting: Fault = {
  name: 'engine: comes back without its adapters',
  strike: async ({ engine }) => engine.tell({ forget: true, release: true }),
};

export const engineFaults: OneWorldTable = {
  cells: everyPair(
    [...(Object.keys(words) as EngineFault[]).map(spoiling), forgetting],
    [moments.round1, moments.evaluation],
  ),
  always: [
    ...everyPair([spoiling('overloaded'), spoiling('reset'), spoiling('another model')], [moments.round1]),
    [forgetting, moments.evaluation],
  ],
};
