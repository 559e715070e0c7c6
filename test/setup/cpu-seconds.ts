/**
 * With `COLLOQUY_TEST_CPU=FILE npm test`, FILE gets a line of JSON for each test file: the seconds of CPU time that its process took to
 * collect it and to run it, and those of the processes that it started and that ended meanwhile. On a shared machine the time on the clock
 * says little.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect } from 'vitest';

type Used = { readonly own: number; readonly children: number };

function used(): Used {
  const { user, system } = process.cpuUsage();
  // Fields 16 and 17 of proc_pid_stat(5), in hundredths of a second; the name before may have spaces.
  const [, ...fields] = readFileSync('/proc/self/stat', 'utf8').split(')').at(-1)?.split(' ') ?? [];
  return { own: (user + system) / 1e6, children: (Number(fields[13]) + Number(fields[14])) / 100 };
}

const begun = used();
let collected = begun;
beforeAll(() => {
  collected = used();
});
afterAll(() => {
  const ended = used();
  const line = {
    // oxlint-disable-next-line vitest/no-standalone-expect -- it asks which file this is
    file: expect.getState().testPath?.replace(/^.*\/test\//, ''),
    collecting: collected.own - begun.own,
    running: ended.own - collected.own,
    children: ended.children - begun.children,
  };
  appendFileSync(process.env['COLLOQUY_TEST_CPU'] ?? '/dev/null', `${JSON.stringify(line)}\n`);
});
