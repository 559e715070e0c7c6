import { besideScript, linesOf, sizeOf } from './answering.ts';
import type { Benchmark } from './benchmark.ts';
import { table } from './table.ts';

/**
 * How fast does the embedded engine answer, beside a script that uses transformers alone? The endpoint gets the requests of both rounds at once. The script
 * answers each round as one batch. Aim: 1.5 times its speed.
 */
export const generation: Benchmark = async (settings) => {
  const { questions, repeats } = sizeOf(settings);
  const pairs = await besideScript(settings, 'batch', 1);
  return {
    text: [
      table(
        ['answers/s', 'median', 'least to most'],
        linesOf(pairs, {
          ours: 'the embedded engine',
          other: 'transformers, each round one batch',
          ratio: 'times one batch (aim: at least 1.5)',
        }),
      ),
      `${questions * 6} answers of debates (${questions} questions, 3 agents, 2 rounds), ${repeats} repeats in turn, each with other questions.`,
    ].join('\n'),
    figures: { questions, repeats, pairs },
  };
};
