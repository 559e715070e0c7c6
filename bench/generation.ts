import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { embeddedModel } from '../src/config/experiment.ts';
import { projectRoot, tools } from '../src/config/installation.ts';
import { openEndpoint } from '../src/engines/endpoint/open.ts';
import { modelNamed } from '../test/support/models.ts';
import type { Benchmark } from './benchmark.ts';
import { median, spread } from './statistics.ts';
import { table } from './table.ts';

const { signal } = new AbortController();

/**
 * How fast does the embedded engine answer, beside scripts that use transformers alone? The endpoint `local`, with as many processes as it starts, gets
 * the requests of both rounds at once. The script answers each round as one batch, or one chat after the other, as the
 * paper's scripts do. Aims: 1.5 times the speed of batches, and 10 times the speed of single chats.
 */
export const generation: Benchmark = async ({ folder, quick }) => {
  const questions = quick ? 16 : 64;
  const repeats = quick ? 1 : 3;
  // The engine keeps prompts that it has read: each repeat has questions of its own, and so has the warm-up.
  const all = Array.from({ length: 1 + repeats }, (_, place) => debates(questions, place * questions));
  mkdirSync(folder, { recursive: true });
  const requests = join(folder, 'rounds.json');
  writeFileSync(requests, JSON.stringify(all));
  const endpoint = openEndpoint({ kind: 'local' }, embeddedModel, {
    logFolder: join(folder, 'logs'),
    modelFolder: async () => folder,
  });
  const plain = startPlain(requests);

  async function ours(place: number): Promise<number> {
    const began = performance.now();
    const chats = all[place]?.flat() ?? [];
    const seeds = chats.map((messages, seed) => ({
      messages,
      seed,
      temperature: 1,
      top_p: 1,
      max_tokens: 64,
    }));
    await Promise.all(
      seeds.map((request) =>
        endpoint.slots.use(() => endpoint.chat(modelNamed(embeddedModel), request, signal), signal),
      ),
    );
    return (chats.length * 1000) / (performance.now() - began);
  }

  try {
    await plain.ready;
    // Waits until all its processes have started, after 3 s of load.
    for (const began = Date.now(); Date.now() - began < (quick ? 1_000 : 15_000);) await ours(0);
    const figures: { ours: number; batch: number; single: number }[] = [];
    for (let repeat = 1; repeat <= repeats; repeat += 1)
      figures.push({
        ours: await ours(repeat),
        batch: await plain.ask('batch', repeat),
        single: await plain.ask('single', repeat),
      });
    const row = (what: string, of: (figure: (typeof figures)[number]) => number, decimals: number) => {
      const values = figures.map(of);
      return [what, median(values).toFixed(decimals), spread(values, decimals)];
    };
    return {
      text: [
        table(
          ['answers/s', 'median', 'least to most'],
          [
            row('the embedded engine', (each) => each.ours, 1),
            row('transformers, each round one batch', (each) => each.batch, 1),
            row('transformers, one at a time', (each) => each.single, 1),
            row('times one batch (aim: at least 1.5)', (each) => each.ours / each.batch, 2),
            row('times one at a time (aim: at least 10)', (each) => each.ours / each.single, 2),
          ],
        ),
        `${questions * 6} answers of debates (${questions} questions, 3 agents, 2 rounds), ${repeats} repeats in turn, each with other questions.`,
      ].join('\n'),
      figures: { questions, repeats, figures },
    };
  } finally {
    plain.stop();
    await endpoint.close();
  }
};

type Chat = readonly { readonly role: 'user' | 'assistant'; readonly content: string }[];

/**
 * The chats of each round of debates as `prompts: terse` writes them: three agents a question, who have answered rightly.
 *
 * @param from the place of the first question: each of the first 1,152 places has another one
 */
function debates(questions: number, from: number): readonly [Chat[], Chat[]] {
  const asked = Array.from({ length: questions * 3 }, (_, index) => {
    const place = from + Math.floor(index / 3);
    const turn = Math.floor(place / 18);
    const [a, b, c, d] = [
      2 + (place % 18),
      2 + ((place + turn) % 8),
      2 + ((place * 3 + Math.floor(turn / 8)) % 8),
      2 + ((place * 5) % 8),
    ];
    const [product, sum] = [b * c, a + b * c];
    const answer = `${b}*${c}=${product};${a}+${product}=${sum};${sum}-${d}=${sum - d};\\boxed{${sum - d}}`;
    return { question: { role: 'user', content: `${a}+${b}*${c}-${d}` } as const, answer };
  });
  return [
    asked.map(({ question }) => [question]),
    asked.map(({ question, answer }) => [
      question,
      { role: 'assistant', content: answer },
      { role: 'user', content: `>${answer}\n>${answer}` },
    ]),
  ];
}

const saidSchema = z.union([
  z.object({ ready: z.literal(true) }).transform(() => 0),
  z
    .object({ answers: z.number(), seconds: z.number() })
    .transform(({ answers, seconds }) => answers / seconds),
]);

function startPlain(requests: string) {
  const script = fileURLToPath(new URL('./plain_transformers.py', import.meta.url));
  const process = spawn(tools().python, [script, join(projectRoot, embeddedModel), requests], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(process.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<number> => saidSchema.parse(JSON.parse(String((await lines.next()).value)));
  return {
    ready: next(),
    ask(mode: 'batch' | 'single', place: number): Promise<number> {
      process.stdin.write(`${mode} ${place}\n`);
      return next();
    },
    stop: () => process.kill(),
  };
}
