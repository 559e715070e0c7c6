import { besideScript, linesOf, sizeOf, tokensOf } from './answering.ts';
import type { Benchmark } from './benchmark.ts';
import { table } from './table.ts';
import { besideVllm, installedVllm } from './vllm.ts';

/**
 * How fast do the product's engines answer? The embedded engine beside a script that uses transformers alone: the engine gets the requests of both rounds at
 * once, and the script answers each round as one batch. Aim: 1.5 times its speed. Where a vLLM is installed, also the endpoint of kind `vllm` beside
 * the same requests fired straight at the same server.
 */
export const generation: Benchmark = async (settings) => {
  const { questions, repeats } = sizeOf(settings);
  const local = await besideScript(settings, 'batch', 1);
  const command = await installedVllm();
  const vllm = command === undefined ? [] : await besideVllm(settings, command);
  const lines = linesOf(local, {
    ours: 'the embedded engine',
    other: 'transformers, each round one batch',
    ratio: 'times one batch (aim: at least 1.5)',
  });
  if (vllm.length > 0)
    lines.push(
      ...linesOf(vllm, {
        ours: 'vLLM, through the endpoint',
        other: 'vLLM, the same requests straight',
        ratio: 'times straight',
      }),
    );
  const tokens = vllm.length > 0 ? tokensOf(vllm) : undefined;
  return {
    text: [
      table(['answers/s', 'median', 'least to most'], lines),
      `${questions * 6} answers of debates (${questions} questions, 3 agents, 2 rounds), ${repeats} repeats in turn, each with other questions.`,
      tokens === undefined
        ? 'No vLLM is installed, so that nothing is known of the endpoint of kind vllm: `node scripts/setup-vllm.mjs` installs one for CPUs (5.9 GB), `uv tool install vllm` one for graphics cards.'
        : `Tokens of an answer of vLLM (${command}): ${tokens.ours} through the endpoint, ${tokens.other} straight.`,
    ].join('\n'),
    figures: { questions, repeats, local, vllm },
  };
};
