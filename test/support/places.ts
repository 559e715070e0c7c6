import { basename, dirname } from 'node:path';
import { type Place, placeIn } from '../../src/store/blobs.ts';
import { fileBlobs } from '../../src/store/blobs-file.ts';
import { type ExperimentFiles, experimentFiles, openStore } from '../../src/store/store.ts';

/** The file or folder at a path, as a place in a store. */
export function placeAt(path: string): Place {
  return placeIn(fileBlobs(dirname(path)), basename(path));
}

/** The files of an experiment whose folder is at a path. */
export function experimentAt(folder: string): ExperimentFiles {
  return experimentFiles(openStore(dirname(folder)), basename(folder));
}
