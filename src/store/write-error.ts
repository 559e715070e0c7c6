import { DiskFull } from './disk-full.ts';
import { StoreNotWritable } from './store-not-writable.ts';

/** The cause of a failed write, named: DiskFull, StoreNotWritable, or the error as it is. */
export function writeError(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG': // the limit on a file's size (`ulimit -f`)
      return new DiskFull(path, error);
    case 'ENOTDIR': // a file where a folder should be
    case 'ENAMETOOLONG':
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return new StoreNotWritable(path, error);
    default:
      return error;
  }
}
