import { memoryBlobs } from '../support/memory-blobs.ts';
import { pruneContract } from './prune.contract.ts';
import { temporaryFolder } from './temporary-folder.ts';

pruneContract('memory', () => {
  const [kept, times] = [new Map<string, Buffer>(), new Map<string, number>()];
  const host = () => memoryBlobs(temporaryFolder(), kept, times);
  return {
    hosts: [host(), host()],
    age: () => times.forEach((at, name) => times.set(name, at - 10 * 86_400_000)),
  };
});
