/** A vLLM that the product runs, asked through its endpoint and by a bare loop. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { embeddedModel } from '../src/config/experiment.ts';
import { resolveModel } from '../src/engines/endpoint/base-model.ts';
import { createOwnVllmEndpoint } from '../src/engines/endpoint/own-vllm.ts';
import { createCompleteSampling } from '../src/engines/endpoint/protocol.ts';
import { vllmConcurrency as concurrency } from '../src/engines/endpoint/remote.ts';
import { createLiveEngines } from '../src/engines/process/live-engines.ts';
import { findVllm, VllmMissing } from '../src/engines/vllm/installed.ts';
import { createVllmProcess } from '../src/engines/vllm/vllm-process.ts';
import { type Answered, chatRequests, debates, type Pair, sizeOf, throughEndpoint } from './answering.ts';
import type { BenchmarkSettings } from './benchmark.ts';
import { startDirect } from './direct.ts';

/**
 * The endpoint of kind `vllm`, which starts the server, and a bare loop that fires the same requests straight at that server, with as many in flight. They
 * take turns, and the other one begins in the next repeat. The server keeps no prompts, as the second to ask would have less to wait for.
 *
 * @param command the program, as `installedVllm` gives it
 */
export async function besideVllm(
  { folder, quick }: Pick<BenchmarkSettings, 'folder' | 'quick'>,
  command: string,
): Promise<readonly Pair[]> {
  const { questions, repeats } = sizeOf({ quick });
  const vllm = createVllmProcess({
    model: resolveModel(embeddedModel),
    servedModelName: embeddedModel,
    logFolder: join(folder, 'logs'),
    command,
    args: ['--no-enable-prefix-caching'],
  });
  vllm.expect('the benchmark', { adapters: 0, rank: 0, modules: [], context: 1_024 });
  const endpoint = createOwnVllmEndpoint(
    { kind: 'vllm' },
    embeddedModel,
    vllm,
    async () => folder,
    createLiveEngines(),
  );
  try {
    const { url } = await vllm.ready(new AbortController().signal);
    await using loop = await startDirect();

    const sampling = createCompleteSampling();
    const straight = async (place: number, requests: ReturnType<typeof chatRequests>): Promise<Answered> => {
      const file = join(folder, `requests-${place}.json`);
      // With the settings that the endpoint states beside those of the request.
      const whole = requests.map((request) => sampling.complete(request, async (body) => body));
      writeFileSync(file, JSON.stringify(await Promise.all(whole)));
      const { answers, seconds, completionTokens } = await loop.fire({
        url: `${url}/chat/completions`,
        model: embeddedModel,
        requests: file,
        concurrency,
        client: 'node:http',
      });
      return { answers, seconds, tokens: completionTokens };
    };
    const pair = async (place: number): Promise<Pair> => {
      const requests = chatRequests(debates(questions, place * questions).flat(), 1);
      const first = place % 2 === 0 ? await straight(place, requests) : undefined;
      const ours = await throughEndpoint(endpoint, requests);
      return { ours, other: first ?? (await straight(place, requests)) };
    };

    // Both ends warm up on other questions.
    await pair(0);
    const pairs: Pair[] = [];
    for (let repeat = 1; repeat <= repeats; repeat += 1) pairs.push(await pair(repeat));
    return pairs;
  } finally {
    await endpoint.close();
  }
}

/** The vLLM that a worker would find, else the one for CPUs that `scripts/setup-vllm.mjs` has installed; undefined where there is neither. */
export async function installedVllm(): Promise<string | undefined> {
  try {
    return (await findVllm()).command;
  } catch (error) {
    if (!(error instanceof VllmMissing)) throw error;
  }
  const script = fileURLToPath(new URL('../scripts/setup-vllm.mjs', import.meta.url));
  const { stdout } = spawnSync(process.execPath, [script, '--where'], { encoding: 'utf8' });
  return stdout.trim() || undefined;
}
