import { expect, it } from 'vitest';
import { createTurns, type Turn } from '../../src/engines/endpoint/request-slots.ts';

const { signal } = new AbortController();

/** Begins work of each turn in this order; says what is in flight whenever something begins. */
function begin(turns: ReturnType<typeof createTurns>, order: readonly Turn[]) {
  const inFlight: Turn[] = [];
  const seen: string[] = [];
  const ends: (() => void)[] = [];
  const all = order.map((turn) =>
    turns.take(turn, signal, async () => {
      inFlight.push(turn);
      seen.push(inFlight.toSorted().join('+'));
      await new Promise<void>((resolve) => ends.push(resolve));
      inFlight.splice(inFlight.indexOf(turn), 1);
    }),
  );
  const endAll = async (): Promise<void> => {
    while (seen.length < order.length || inFlight.length > 0) {
      for (const end of ends.splice(0)) end();
      await new Promise(setImmediate);
    }
    await Promise.all(all);
  };
  return { seen, endAll };
}

it('requests to the base model and to adapters are in flight together, until they are separated', async () => {
  const turns = createTurns();
  const first = begin(turns, ['base', 'adapter', 'base']);
  await first.endAll();
  expect(first.seen).toEqual(['base', 'adapter+base', 'adapter+base+base']);
  turns.separate();
  const second = begin(turns, ['base', 'adapter', 'base', 'adapter']);
  await second.endAll();
  // All that wait for a turn begin together.
  expect(second.seen).toEqual(['base', 'adapter', 'adapter+adapter', 'base']);
});

it('a request alone waits for what is in flight, and what comes later waits for it', async () => {
  const turns = createTurns();
  const { seen, endAll } = begin(turns, ['base', 'adapter', 'alone', 'base', 'alone']);
  await endAll();
  expect(seen).toEqual(['base', 'adapter+base', 'alone', 'base', 'alone']);
});

it('a request that is stopped while it waits lets the others go on', async () => {
  const turns = createTurns();
  let end = (): void => undefined;
  const first = turns.take('base', signal, () => new Promise<void>((resolve) => (end = resolve)));
  const abort = new AbortController();
  const alone = turns.take('alone', abort.signal, async () => 'never');
  const later = turns.take('base', signal, async () => 'begun');
  abort.abort(new Error('the worker stops'));
  await expect(alone).rejects.toThrow('the worker stops');
  expect(await later).toBe('begun');
  end();
  await first;
});

it('work that fails gives its turn back', async () => {
  const turns = createTurns();
  await expect(turns.take('alone', signal, () => Promise.reject(new Error('refused')))).rejects.toThrow(
    'refused',
  );
  expect(await turns.take('alone', signal, async () => 'begun')).toBe('begun');
});
