import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { placeIn } from '../../src/store/blobs.ts';
import { fileBlobs } from '../../src/store/blobs-file.ts';
import { ClaimLost } from '../../src/store/errors.ts';
import { claim } from '../../src/store/files/take-over.ts';
import { laggingHosts } from '../support/lagging-blobs.ts';
import { memoryBlobs } from '../support/memory-blobs.ts';
import { claimContract } from './claim.contract.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();
const scratch = () => mkdtempSync(join(folder, 's'));

claimContract('a local disk', 0, () => {
  const root = scratch();
  return [fileBlobs(root), fileBlobs(root), fileBlobs(root)];
});

claimContract('memory', 0, () => {
  const kept = new Map<string, Buffer>();
  return [memoryBlobs(folder, kept), memoryBlobs(folder, kept), memoryBlobs(folder, kept)];
});

for (const delay of [1, 3, 10, 50])
  claimContract(`a folder on which others' changes appear ${delay} operations late`, delay, () => {
    const [a, b, c] = laggingHosts(3, delay, folder);
    return [a!, b!, c!];
  });

describe('a claim that is asked for before each of many answers', () => {
  afterEach(() => void vi.useRealTimers());

  it('is read once a second, and a take-over is found by the first read after it', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const blobs = memoryBlobs(folder);
    const reads = vi.spyOn(blobs, 'get');
    const work = placeIn(blobs, 'shard');
    const first = await claim(work);
    for (let answers = 0; answers < 5; answers++) await first.require();
    expect(reads).toHaveBeenCalledTimes(1);
    await claim(work);
    vi.advanceTimersByTime(999);
    await first.require();
    vi.advanceTimersByTime(1);
    await expect(first.require()).rejects.toThrow(ClaimLost);
    await expect(first.require()).rejects.toThrow(ClaimLost);
    expect(reads).toHaveBeenCalledTimes(3);
  });

  it('is read again after a read that failed', async () => {
    const blobs = memoryBlobs(folder);
    const mine = await claim(placeIn(blobs, 'shard'));
    vi.spyOn(blobs, 'get').mockRejectedValueOnce(new Error('the disk is away'));
    await expect(mine.require()).rejects.toThrow('the disk is away');
    await mine.require();
  });
});
