/** How claims behave on every kind of store, also where hosts see each other's changes late. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Blobs, type Place, placeIn } from '../../src/store/blobs.ts';
import { ClaimLost, NotVisibleYet } from '../../src/store/errors.ts';
import { type Claim, claim as claimWork, endClaims } from '../../src/store/files/take-over.ts';
import { writeDocumentOnce } from '../../src/store/files/documents.ts';
import { findRows, linesOf, readRows, writeRowsOnce } from '../../src/store/files/rows.ts';

/**
 * @param delay the number of operations after which a host sees another host's change; 0: at once
 * @param open gives an empty store, as three hosts see it
 */
export function claimContract(kind: string, delay: number, open: () => readonly [Blobs, Blobs, Blobs]): void {
  const rowSchema = z.object({ by: z.string(), n: z.number() });
  const rowsBy = (by: string) => Array.from({ length: 50 }, (_, n) => ({ by, n }));
  const hosts = () =>
    open().map((blobs) => placeIn(blobs, 'iteration-1', 'shard-000.jsonl')) as [Place, Place, Place];
  /** The rows that stay. */
  const writeAndRead = async (place: Place, rows: object[], schema: typeof rowSchema) => {
    await writeRowsOnce(place, () => linesOf(rows), schema);
    return readRows(place, schema);
  };
  const unexpected = () => expect.unreachable('no damage was expected');

  /** How many effects a holder may have before it notices that it has lost its claim. A check is at least one operation. */
  async function stepsUntilLost({ require }: Claim): Promise<number> {
    for (let steps = 0; steps <= delay; steps++) {
      try {
        await require();
      } catch (error) {
        if (error instanceof ClaimLost) return steps;
        throw error;
      }
    }
    return expect.unreachable(`${delay} operations later the claim was not lost`);
  }

  /** Retries while a file cannot be seen yet, as Temporal does. */
  async function retried<Value>(work: () => Promise<Value>): Promise<Value> {
    for (let tries = 0; ; tries++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof NotVisibleYet) || tries > delay) throw error;
      }
    }
  }

  /** A claim that is checked at each call. */
  const claim = async (place: Place): Promise<Claim> => claimWork(place, 0);

  describe(`a claim on ${kind}`, () => {
    it('holds until another worker claims the same work, which the holder notices by itself', async () => {
      const [a, b, c] = hosts();
      const first = await claim(a);
      await first.require();
      const second = await claim(b);
      await second.require();
      await stepsUntilLost(first);
      const third = await claim(c);
      await third.require();
      await stepsUntilLost(second);
      await third.require();
      expect([first.epoch, second.epoch, third.epoch]).toEqual([1, 2, 3]);
    });

    it('has a number of its own for any number of claims at the same moment, and the last one stays', async () => {
      const places = hosts();
      const claims = await Promise.all(Array.from({ length: 12 }, (_, n) => claim(places[n % 3]!)));
      const epochs = claims.map(({ epoch }) => epoch);
      expect(epochs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n + 1));
      for (const each of claims) if (each.epoch < 12) await stepsUntilLost(each);
      await claims[epochs.indexOf(12)]!.require();
    });

    it('of a holder that was killed is taken over', async () => {
      const [a, b] = hosts();
      await claim(a);
      const second = await claim(b);
      await second.require();
      expect(await writeAndRead(b, rowsBy('second'), rowSchema)).toEqual(rowsBy('second'));
      await second.finish();
      await retried(async () => {
        if ((await b.blobs.list('iteration-1/shard-000.jsonl.claim-')).length > 0)
          throw new NotVisibleYet('');
      });
    });

    it('ends for all holders when the work is finished, also for a stalled one', async () => {
      const [a, b] = hosts();
      const stalled = await claim(a);
      const second = await claim(b);
      await second.finish();
      await stepsUntilLost(second);
      await stepsUntilLost(stalled);
    });

    it('is not mistaken for an earlier claim when finished work was damaged and is done again', async () => {
      const [a, b] = hosts();
      const stalled = await claim(a);
      await endClaims(a);
      const later = await claim(b);
      await later.require();
      await stepsUntilLost(stalled);
    });
  });

  describe(`work on ${kind}`, () => {
    it('of two holders at the same time has one whole result, and both continue with it', async () => {
      const [a, b, c] = hosts();
      await claim(a);
      await claim(b);
      // Neither checks its claim before its last effect, which is the worst case.
      const [first, second] = await Promise.all([
        retried(() => writeAndRead(a, rowsBy('a'), rowSchema)),
        retried(() => writeAndRead(b, rowsBy('b'), rowSchema)),
      ]);
      expect(first).toEqual(second);
      expect([rowsBy('a'), rowsBy('b')]).toContainEqual(first);
      const seen = await retried(async () => {
        if ((await findRows(c, unexpected)) === null) throw new NotVisibleYet('');
        return readRows(c, rowSchema);
      });
      expect(seen).toEqual(first);
    });

    it('of a stalled holder that wakes up is not mixed with its successor’s', async () => {
      const [a, b] = hosts();
      const stalled = await claim(a);
      await stalled.require();
      const successor = await claim(b);
      await successor.require();
      expect(await writeAndRead(b, rowsBy('successor'), rowSchema)).toEqual(rowsBy('successor'));
      await successor.finish();
      // Its last check was before it stalled.
      expect(await retried(() => writeAndRead(a, rowsBy('stalled'), rowSchema))).toEqual(rowsBy('successor'));
      expect(await readRows(b, rowSchema)).toEqual(rowsBy('successor'));
    });

    it('of a holder that was killed between the rows and their seal is used as it is', async () => {
      const [a, b] = hosts();
      const bytes = Buffer.from(
        rowsBy('killed')
          .map((row) => `${JSON.stringify(row)}\n`)
          .join(''),
      );
      expect(await a.blobs.putOnce(a.name, bytes)).toBe('made');
      expect(await retried(() => writeAndRead(b, rowsBy('second'), rowSchema))).toEqual(rowsBy('killed'));
      expect(await findRows(b, unexpected)).toMatchObject({ rows: 50 });
    });

    it('that is damaged is set aside and done again by the worker that finds it', async () => {
      const [a] = hosts();
      await writeAndRead(a, rowsBy('first'), rowSchema);
      await a.blobs.replace(a.name, Buffer.from('{"by":'));
      expect(await writeAndRead(a, rowsBy('second'), rowSchema)).toEqual(rowsBy('second'));
      expect(await readRows(a, rowSchema)).toEqual(rowsBy('second'));
      expect(await a.blobs.list(`${a.name}.damaged-`)).toHaveLength(1);
    });

    it('may be a single document', async () => {
      const [a, b] = hosts();
      const schema = z.object({ by: z.string() });
      const both = await Promise.all([
        retried(() => writeDocumentOnce(a, { by: 'a' }, schema)),
        retried(() => writeDocumentOnce(b, { by: 'b' }, schema)),
      ]);
      expect(both[0]).toEqual(both[1]);
    });
  });
}
