/** Preloaded into a worker: it is killed as soon as it has given a file or a folder the name in COLLOQUY_TEST_KILLED_AFTER. */
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';

const name = process.env.COLLOQUY_TEST_KILLED_AFTER;
if (name !== undefined) {
  const { rename } = promises;
  promises.rename = async (from, to) => {
    await rename(from, to);
    if (basename(to) === name) process.kill(process.pid, 'SIGKILL');
  };
  syncBuiltinESMExports();
}
