import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Benchmark } from './benchmark.ts';
import { table } from './table.ts';

const kindsSchema = z.array(z.object({ kind: z.string(), pairs: z.number(), pairsPerSecond: z.number() }));

/** Pairs of answers a second that `colloquy grade` settles, by kind of answer: grader.ts, in a process of its own. */
export const grading: Benchmark = async () => {
  const script = fileURLToPath(new URL('./grader.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, '--json']);
  const kinds = kindsSchema.parse(JSON.parse(stdout));
  return {
    text: table(
      ['kind of answer', 'pairs', 'pairs/s'],
      kinds.map(({ kind, pairs, pairsPerSecond }) => [kind, String(pairs), String(pairsPerSecond)]),
    ),
    figures: { kinds },
  };
};
