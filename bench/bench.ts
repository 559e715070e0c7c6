/**
 * `npm run bench [-- NAME ...] [--quick] [--against CHECKOUT] [--shape 4b|8b]`: runs the benchmarks (all, or those named), prints ratios and tables,
 * and writes bench/results/NAME.json. See docs/benchmarks.md.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { authors } from './authors.ts';
import type { Benchmark } from './benchmark.ts';
import { generation } from './generation.ts';
import { grading } from './grading.ts';
import { growth } from './growth.ts';
import { hosts } from './hosts.ts';
import { iteration } from './iteration.ts';
import { machine } from './machine.ts';
import { overhead } from './overhead.ts';
import { saturation } from './saturation.ts';
import { trainer } from './trainer.ts';
import { versus } from './versus.ts';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  saturation,
  generation,
  authors,
  overhead,
  growth,
  hosts,
  grader: grading,
  trainer,
  iteration,
  versus,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    against: { type: 'string' },
    shape: { type: 'string' },
  },
});
const unknown = positionals.filter((name) => !Object.hasOwn(benchmarks, name));
if (unknown.length > 0) {
  console.error(
    `No benchmark is called ${unknown.join(', ')}. There are ${Object.keys(benchmarks).join(', ')}.`,
  );
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'colloquy-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const results = fileURLToPath(new URL('./results', import.meta.url));
mkdirSync(results, { recursive: true });
const { cpu, cores, node, load } = machine();
console.log(`${cpu}, ${cores} cores, load ${load}, Node ${node}`);
for (const [name, benchmark] of Object.entries(benchmarks)) {
  if (positionals.length > 0 ? !positionals.includes(name) : name === 'versus' && !values.against) continue;
  const before = machine();
  const began = Date.now();
  console.log(`\n${name} …`);
  const { text, figures } = await benchmark({
    folder: join(folder, name),
    results,
    quick: values.quick,
    against: values.against && resolve(values.against),
    shape: values.shape,
  });
  const seconds = Math.round((Date.now() - began) / 1000);
  const file = join(results, `${name}.json`);
  const date = new Date().toISOString();
  const head = { benchmark: name, quick: values.quick, date, seconds, machine: before };
  writeFileSync(file, `${JSON.stringify({ ...head, ...figures }, null, 2)}\n`);
  console.log(`${text}\n${seconds} s; figures in ${file}`);
}
