import { rm } from 'node:fs/promises';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { activity, type Dependencies } from '../../src/activities/activity.ts';
import { codeHash } from '../../src/config/installation.ts';
import { onEvent } from '../../src/observe/events.ts';
import { openStore, storeIdentity, type StoreIdentity } from '../../src/store/store.ts';
import { activityEnvironment } from '../support/run-step.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();
const at = (name: string) => openStore(join(folder, name));

/** How a step ends that a worker with the store at `name` takes, of an experiment that was begun in `begunIn`. */
async function stepAt(name: string, begunIn: StoreIdentity, code = codeHash()): Promise<unknown> {
  const run = activity(async () => 'done', { store: at(name) } as Dependencies);
  return activityEnvironment()
    .run(run, null, { ...begunIn, code })
    .catch((error: unknown) => error);
}
const done = { attempt: 1, output: 'done' };

describe('a store', () => {
  it.each([
    ['newer', '{"formatVersion": 2, "id": "some"}'],
    ['newer-without-id', '{"formatVersion": 2, "ids": ["some"]}'],
  ])('of a newer format is refused by name, and stays as it is: %s', async (name, text) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'store.json'), text);
    await expect(storeIdentity(at(name))).rejects.toMatchObject({
      name: 'OtherVersion',
      message: expect.stringMatching(/newer[\w-]*\/store\.json .*format 2; it reads up to 1/),
    });
    expect(readFileSync(join(folder, name, 'store.json'), 'utf8')).toBe(text);
  });

  it('gets an id in place of a damaged one', async () => {
    mkdirSync(join(folder, 'damaged'));
    writeFileSync(join(folder, 'damaged', 'store.json'), '{"formatVersion": 1, "id": 7}');
    const { id } = await storeIdentity(at('damaged'));
    expect(JSON.parse(readFileSync(join(folder, 'damaged', 'store.json'), 'utf8'))).toEqual({
      formatVersion: 1,
      id,
    });
  });

  it('without a format is one of the first versions, and is read', async () => {
    mkdirSync(join(folder, 'older'));
    writeFileSync(join(folder, 'older', 'store.json'), '{"id": "some"}');
    expect((await storeIdentity(at('older'))).id).toBe('some');
  });
});

describe('a step of an experiment', () => {
  it('is refused by a worker with another store, which names both, and may be taken by another worker', async () => {
    const begunIn = { ...(await storeIdentity(at('one'))), host: 'elsewhere' };
    const refusal = await stepAt('two', begunIn);
    expect(refusal).toMatchObject({ type: 'OtherStore', nonRetryable: false });
    expect((refusal as Error).message).toContain(`the store ${join(folder, 'one')} (on elsewhere)`);
    expect((refusal as Error).message).toContain(`another store, ${join(folder, 'two')} (on `);
  });

  it('is taken by a worker that has the same store at another path', async () => {
    const begunIn = await storeIdentity(at('shared'));
    symlinkSync(join(folder, 'shared'), join(folder, 'mounted elsewhere'));
    expect(await stepAt('mounted elsewhere', { ...begunIn, host: 'elsewhere' })).toEqual(done);
  });

  it('is taken by a worker with other code, as during a deploy, and this is reported', async () => {
    const reported: object[] = [];
    onEvent('step of other code', (codes) => reported.push(codes));
    expect(await stepAt('one', await storeIdentity(at('one')), 'older')).toEqual(done);
    expect(reported).toEqual([{ begunWith: 'older', here: codeHash() }]);
  });

  it('is taken where the store was emptied since: what is missing is made again', async () => {
    const begunIn = await storeIdentity(at('emptied'));
    await rm(join(folder, 'emptied'), { recursive: true });
    expect(await stepAt('emptied', begunIn)).toEqual(done);
    expect(await storeIdentity(at('emptied'))).toEqual(begunIn);
    expect(await stepAt('emptied', { ...begunIn, id: 'of the store before' })).toEqual(done);
  });
});

it('a store has one id, whichever worker asks first', async () => {
  const ids = await Promise.all(Array.from({ length: 8 }, () => storeIdentity(at('new'))));
  expect(new Set(ids.map(({ id }) => id)).size).toBe(1);
});
