/** What the benchmarks of answers share: the chats of debates, the product's endpoint that answers them, and a script of transformers that does. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { embeddedModel } from '../src/config/experiment.ts';
import { projectRoot, tools } from '../src/config/installation.ts';
import type { ChatRequest } from '../src/config/server-contract.ts';
import type { Endpoint } from '../src/engines/endpoint/endpoint.ts';
import { openEndpoint } from '../src/engines/endpoint/open.ts';
import { modelNamed } from '../test/support/models.ts';
import type { BenchmarkSettings } from './benchmark.ts';
import { median, spread } from './statistics.ts';

const { signal } = new AbortController();

export type Answered = { readonly answers: number; readonly seconds: number; readonly tokens: number };
export type Pair = { readonly ours: Answered; readonly other: Answered };
export type Chat = readonly { readonly role: 'user' | 'assistant'; readonly content: string }[];

/** How many questions are asked in a repeat, of 6 chats each, and how often. */
export function sizeOf({ quick }: Pick<BenchmarkSettings, 'quick'>) {
  return { questions: quick ? 16 : 64, repeats: quick ? 1 : 3 };
}

/**
 * The embedded engine, as the endpoint `local` with as many processes as it starts, and bench/plain_transformers.py, in turn. In each repeat both answer the
 * same chats: the endpoint all of them at once, the script as `mode` says.
 */
export async function besideScript(
  { folder, quick }: Pick<BenchmarkSettings, 'folder' | 'quick'>,
  mode: 'batch' | 'single',
  temperature: number,
): Promise<readonly Pair[]> {
  const { questions, repeats } = sizeOf({ quick });
  // The engine keeps prompts that it has read: each repeat has questions of its own, and so has the warm-up.
  const all = Array.from({ length: 1 + repeats }, (_, place) => debates(questions, place * questions));
  const requestsOf = (place: number) => chatRequests(all[place]?.flat() ?? [], temperature);
  mkdirSync(folder, { recursive: true });
  const rounds = join(folder, 'rounds.json');
  writeFileSync(rounds, JSON.stringify(all));
  const endpoint = openEndpoint({ kind: 'local' }, embeddedModel, {
    logFolder: join(folder, 'logs'),
    modelFolder: async () => folder,
  });
  const script = startScript(rounds, temperature);
  try {
    await script.ready;
    // Waits until all its processes have started, after a second of load.
    for (const began = Date.now(); Date.now() - began < (quick ? 1_000 : 15_000);)
      await throughEndpoint(endpoint, requestsOf(0));
    const pairs: Pair[] = [];
    for (let repeat = 1; repeat <= repeats; repeat += 1)
      pairs.push({
        ours: await throughEndpoint(endpoint, requestsOf(repeat)),
        other: await script.answer(mode, repeat),
      });
    return pairs;
  } finally {
    script.stop();
    await endpoint.close();
  }
}

/** The endpoint answers all requests, as many at a time as it has slots. */
export async function throughEndpoint(
  endpoint: Endpoint,
  requests: readonly Omit<ChatRequest, 'model'>[],
): Promise<Answered> {
  const model = modelNamed(embeddedModel);
  const began = performance.now();
  const answers = await Promise.all(
    requests.map((request) => endpoint.slots.use(() => endpoint.chat(model, request, signal), signal)),
  );
  const seconds = (performance.now() - began) / 1000;
  return {
    answers: answers.length,
    seconds,
    tokens: answers.reduce((sum, { completionTokens }) => sum + completionTokens, 0),
  };
}

/** Lines for a table with the columns `answers/s`, `median`, `least to most`. */
export function linesOf(
  pairs: readonly Pair[],
  names: { readonly ours: string; readonly other: string; readonly ratio: string },
): string[][] {
  const perSecond = ({ answers, seconds }: Answered): number => answers / seconds;
  const line = (name: string, of: (pair: Pair) => number, decimals: number): string[] => {
    const values = pairs.map(of);
    return [name, median(values).toFixed(decimals), spread(values, decimals)];
  };
  return [
    line(names.ours, ({ ours }) => perSecond(ours), 1),
    line(names.other, ({ other }) => perSecond(other), 1),
    line(names.ratio, ({ ours, other }) => perSecond(ours) / perSecond(other), 2),
  ];
}

/** How many tokens each side has written for one answer. */
export function tokensOf(pairs: readonly Pair[]): { readonly ours: string; readonly other: string } {
  const of = (side: keyof Pair): string => {
    const sum = (what: 'tokens' | 'answers') => pairs.reduce((all, pair) => all + pair[side][what], 0);
    return (sum('tokens') / sum('answers')).toFixed(2);
  };
  return { ours: of('ours'), other: of('other') };
}

export function chatRequests(chats: readonly Chat[], temperature: number): Omit<ChatRequest, 'model'>[] {
  return chats.map((messages, seed) => ({
    messages: [...messages],
    seed,
    temperature,
    top_p: 1,
    max_tokens: 64,
  }));
}

/**
 * The chats of each round of debates as `prompts: terse` writes them: three agents a question, who have answered rightly.
 *
 * @param from the place of the first question: each of the first 1,152 places has another one
 */
export function debates(questions: number, from: number): readonly [Chat[], Chat[]] {
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

const answeredSchema = z.object({ answers: z.number(), seconds: z.number(), tokens: z.number() });

/** @param rounds a file with the chats of each repeat */
function startScript(rounds: string, temperature: number) {
  const script = fileURLToPath(new URL('./plain_transformers.py', import.meta.url));
  const process = spawn(
    tools().python,
    [script, join(projectRoot, embeddedModel), rounds, String(temperature)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines = createInterface(process.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<Answered> =>
    answeredSchema.parse(JSON.parse(String((await lines.next()).value)));
  return {
    /** It answers two chats to warm up. */
    ready: next(),
    answer(mode: 'batch' | 'single', place: number): Promise<Answered> {
      process.stdin.write(`${mode} ${place}\n`);
      return next();
    },
    stop: () => process.kill(),
  };
}
