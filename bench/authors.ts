import { besideScript, linesOf, sizeOf, tokensOf } from './answering.ts';
import type { Benchmark } from './benchmark.ts';
import { table } from './table.ts';

/**
 * How much faster than the paper's own scripts does the product answer? They ask the model one question after another and wait for each answer
 * (`model.generate` with one chat). Both sides answer the same chats, at temperature 0, so that they write the same tokens. Aim: 10 times as fast.
 */
export const authors: Benchmark = async (settings) => {
  const { questions, repeats } = sizeOf(settings);
  const pairs = await besideScript(settings, 'single', 0);
  const { ours, other } = tokensOf(pairs);
  return {
    text: [
      table(
        ['answers/s', 'median', 'least to most'],
        linesOf(pairs, {
          ours: 'the embedded engine',
          other: 'one answer at a time',
          ratio: 'times one at a time (aim: at least 10)',
        }),
      ),
      `${questions * 6} answers of debates (${questions} questions, 3 agents, 2 rounds) for each side, ${repeats} repeats in turn, each with other questions.`,
      `Tokens of an answer: ${ours} by the engine, ${other} one at a time.`,
    ].join('\n'),
    figures: { questions, repeats, pairs },
  };
};
