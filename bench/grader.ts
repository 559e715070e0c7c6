/** How many pairs a second the grader settles, by kind of answer: `npx tsx bench/grader.ts [--json]`. */
import { Readable, Writable } from 'node:stream';
import { gradeLines } from '../src/grading/grade-lines.ts';
import { createGrader } from '../src/grading/grader.ts';

interface Measured {
  readonly kind: string;
  readonly pairs: number;
  readonly pairsPerSecond: number;
  /** What it would be on a machine with nothing else to do: by processor time, the engine's thread included. */
  readonly pairsPerCpuSecond: number;
}

const kinds: Readonly<
  Record<string, readonly [count: number, line: (index: number) => readonly [string, string]]>
> = {
  'plain numbers, as JSON lines': [
    100_000,
    (index) => [String(index), String(index % 3 === 0 ? index + 1 : index)],
  ],
  'fractions and decimals': [20_000, (index) => [`\\frac{${index}}{1000}`, (index / 1000).toString()]],
  'tuples and intervals': [
    5000,
    (index) => [`[${index}, ${index + 1})`, `\\left[${index},${index + 1}.0\\right)`],
  ],
  'radicals (compute engine)': [300, (index) => [`${index + 2}\\sqrt{2}`, `\\sqrt{${2 * (index + 2) ** 2}}`]],
  'polynomials (compute engine)': [300, (index) => [`(x+${index})^2`, `x^2+${2 * index}x+${index ** 2}`]],
};

const results: Measured[] = [];
for (const [kind, [pairs, line]] of Object.entries(kinds)) {
  const grader = createGrader();
  // The engine's start is not what is measured here.
  await grader.equal('\\sqrt{8}', '2\\sqrt{2}');
  const lines = Array.from({ length: pairs }, (_, index) => {
    const [gold, answer] = line(index);
    return `${JSON.stringify({ gold, answer })}\n`;
  });
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  await gradeLines(Readable.from(lines), nowhere, grader);
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  results.push({
    kind,
    pairs,
    pairsPerSecond: Math.round(pairs / seconds),
    pairsPerCpuSecond: Math.round(pairs / cpuSeconds),
  });
  await grader.close();
}

if (process.argv.includes('--json')) {
  process.stdout.write(`${JSON.stringify(results)}\n`);
} else {
  for (const { kind, pairs, pairsPerSecond, pairsPerCpuSecond } of results) {
    process.stdout.write(
      `${kind.padEnd(32)} ${String(pairs).padStart(7)} pairs ${String(pairsPerSecond).padStart(8)} pairs/s ${String(pairsPerCpuSecond).padStart(8)} pairs/s of processor time\n`,
    );
  }
}
