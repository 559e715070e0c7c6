import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** Where the figures come from, and how busy it was: without these they mean nothing. */
export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    /** Of the last minute; above the number of cores other work was in the way. */
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}
