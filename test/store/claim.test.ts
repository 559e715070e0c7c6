import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { claim } from '../../src/store/files/claim.ts';
import { ClaimLost } from '../../src/store/errors.ts';
import { temporaryFolder } from './temporary-folder.ts';

describe('a claim', () => {
  const path = () => join(temporaryFolder(), 'deep', 'shard.claim');

  it('holds until another claims the same work', async () => {
    const place = path();
    const first = await claim(place);
    first.require();
    const second = await claim(place);
    expect(first.require).toThrow(ClaimLost);
    second.require();
    const third = await claim(place);
    expect(second.require).toThrow(ClaimLost);
    third.require();
    first.close();
    second.close();
    third.close();
  });

  it('is left by whoever stopped without finishing, and taken over', async () => {
    const place = path();
    const first = await claim(place);
    first.close();
    expect(existsSync(place)).toBe(true);
    const second = await claim(place);
    second.require();
    second.close();
  });

  it('ends for everybody when the work is finished', async () => {
    const place = path();
    const stalled = await claim(place);
    const second = await claim(place);
    await second.finish();
    expect(existsSync(place)).toBe(false);
    expect(stalled.require).toThrow(ClaimLost);
    expect(second.require).toThrow(ClaimLost);
    stalled.close();
    second.close();
  });
});
