import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../config/installation.ts';
import { makeFolder } from '../store/files/atomic.ts';
import { openStore } from '../store/store.ts';
import { type GuardedProcess, spawnWithParent } from '../workers/spawn-with-parent.ts';
import type { Display } from './display.ts';

/** A worker in a process of its own, kept running. */
export type SupervisedWorker = {
  /** Aborts when the worker dies again and again. */
  readonly gaveUp: AbortSignal;
  /** Lets it save what is in flight; resolves when it has gone. */
  stop(): Promise<void>;
};

/** Long enough for a trainer's checkpoint and for the engines to go. */
const graceMs = 40_000;
const deathsInARow = 3;
/** A worker that lived so long had started well. */
const livedMs = 30_000;

/**
 * Runs `colloquy worker`, its output in a log file, and starts it again when it dies. It can never outlive this process.
 */
export async function superviseWorker({ display }: { readonly display: Display }): Promise<SupervisedWorker> {
  const { logs } = openStore();
  const logFile = join(logs, 'worker.log');
  await makeFolder(logs);
  const gaveUp = new AbortController();
  let stopping = false;
  let deaths = 0;
  let current: GuardedProcess;

  const start = (): void => {
    const began = Date.now();
    const log = openSync(logFile, 'a');
    current = spawnWithParent(
      process.execPath,
      [join(projectRoot, 'bin', 'colloquy.mjs'), 'worker', '--quiet'],
      {
        stdout: log,
        stderr: log,
        graceMs,
      },
    );
    closeSync(log);
    void current.exited.then((code) => {
      if (stopping) return;
      deaths = Date.now() - began > livedMs ? 1 : deaths + 1;
      const how = code === null ? 'was killed' : `ended with ${code}`;
      if (deaths < deathsInARow) {
        display.say(`The worker ${how} (log: ${logFile}); starting it again.`);
        start();
      } else {
        display.say(`The worker ${how} ${deaths} times in a row. Its log says why: ${logFile}`);
        gaveUp.abort();
      }
    });
  };
  start();

  return {
    gaveUp: gaveUp.signal,
    async stop() {
      stopping = true;
      await current.stop();
    },
  };
}
