/** Makes docs/faults.md from what the last run of test/faults measured (bench/results/faults/*.json). */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../src/config/installation.ts';
import { inFlight } from '../support/test-dependencies.ts';
import type { Suffered } from './suffer.ts';

type Row = Suffered & { readonly fault: string; readonly moment: string };

const folder = join(projectRoot, 'bench', 'results', 'faults');
const rows = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Row[])
  .toSorted((a, b) => a.fault.localeCompare(b.fault));

const text = `# Faults

test/faults/write-table.ts made this page from what the tests in test/faults measured (${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB); it is not written by hand.

Each row is an experiment of three agents, two rounds and one iteration on real processes: Temporal's dev server with its database in a
file, workers, an HTTP engine and a trainer in place of the models, so that every answer and every fine-tune is counted.
Engine and trainer wait at the named moment, the fault strikes, and the experiment continues to its end. A row is here only when its questions,
debates, datasets, outcomes, results and weights were byte for byte those of an undisturbed run, the GPU gate was free afterwards, no
process outlived its worker by 10 s, and nothing half-written was left. Where the experiment had to wait for a person, \`colloquy status\` and
the query's table showed it, with the reason and the commands that continue it. All other experiments ended by themselves.

- **asked twice**: answers that the engine gave, or was about to give, more than once; ${inFlight} were in flight. A stalled worker is
  ended by SIGTERM when it wakes up, which catches as many again.
- **made again**: finished shards and fine-tunes that were made a second time (only what the fault itself damaged may be made again).
- **seconds**: from the fault to the experiment's end, with several experiments at once on this machine. The server notices after 20 s that a worker was killed.

${rows.length} cells. \`npm test\` runs some of each kind, \`npm run faults\` runs all.

Hosts that are lost, cut off or have a wrong clock, with a store in a bucket and no disk in common: [scaling.md](scaling.md#what-was-tested-as-many-machines) and [s3.md](s3.md#tested-here).

| Fault | Moment | Asked twice | Made again | Seconds |
| --- | --- | --: | --: | --: |
${rows
  .map(
    ({ fault, moment, askedTwice, repeated, seconds }) =>
      `| ${fault} | ${moment} | ${askedTwice} | ${repeated} | ${seconds.toFixed(1)} |`,
  )
  .join('\n')}
`;
writeFileSync(join(projectRoot, 'docs', 'faults.md'), text);
// oxlint-disable-next-line no-console -- what was made
console.log(`docs/faults.md: ${rows.length} cells`);
