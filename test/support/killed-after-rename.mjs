/** Preloaded into a worker: it is killed as soon as a file has the name in COLLOQUY_TEST_KILLED_AFTER, which is the end of a path. */
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const name = process.env.COLLOQUY_TEST_KILLED_AFTER;
if (name !== undefined) {
  for (const naming of ['rename', 'link']) {
    const original = promises[naming];
    promises[naming] = async (from, to) => {
      await original(from, to);
      if (String(to).endsWith(`/${name}`)) process.kill(process.pid, 'SIGKILL');
    };
  }
  syncBuiltinESMExports();
}
