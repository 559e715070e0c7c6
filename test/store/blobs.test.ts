import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { fileBlobs } from '../../src/store/blobs-file.ts';
import { memoryBlobs } from '../support/memory-blobs.ts';
import { blobsContract } from './blobs.contract.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();
const scratch = () => mkdtempSync(join(folder, 's'));

blobsContract('files', () => {
  const root = scratch();
  return { hosts: [fileBlobs(root), fileBlobs(root)], scratch: root };
});

blobsContract('memory', () => {
  const root = scratch();
  const kept = new Map<string, Buffer>();
  return { hosts: [memoryBlobs(root, kept), memoryBlobs(root, kept)], scratch: root };
});
