/**
 * Does a server answer with the model that was asked? Its adapters are proved when they are loaded: each has to answer otherwise than the
 * base model, and the base model beside adapters as it does alone.
 */
import { basename, join } from 'node:path';
import { z } from 'zod';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { emit } from '../../observe/events.ts';
import { fileBlobs } from '../../store/blobs-file.ts';
import { FileRefused } from '../../store/errors.ts';
import { AdapterWithoutEffect, AnsweredByAnother, EngineRefused } from '../errors.ts';
import { type CanaryAnswer, distance } from './protocol.ts';
import type { ChatClient } from './chat-client.ts';
import type { Turns } from '../waiting.ts';

export interface Proofs {
  /**
   * The adapter's own canary answer, which differs from the base model's.
   *
   * @param path of the adapter's folder
   * @throws AdapterWithoutEffect
   */
  adapter(name: string, path: string, signal: AbortSignal): Promise<CanaryAnswer>;
  /**
   * Asks the base model and the adapters together. A server on which the base model is then answered by an adapter (vLLM's CPU build, once
   * every slot of `--max-loras` has had an adapter) has the two take turns from now on.
   *
   * @param adapters what each answers alone
   * @throws AnsweredByAnother when an adapter is answered by another one
   */
  together(adapters: ReadonlyMap<string, CanaryAnswer>, signal: AbortSignal): Promise<void>;
}

/** @param turns of all requests to the server: what a model answers alone is asked when nothing else is in flight */
export function createProofs(client: ChatClient, baseModel: string, turns: Turns): Proofs {
  let baseAlone: Promise<CanaryAnswer> | undefined;

  function base(signal: AbortSignal): Promise<CanaryAnswer> {
    baseAlone ??= turns.take('alone', signal, () => client.canary(baseModel, signal));
    baseAlone.catch(() => (baseAlone = undefined));
    return baseAlone;
  }

  return {
    async adapter(name, path, signal) {
      for (let again = true; ; again = false) {
        const answer = await turns.take('adapter', signal, () => client.canary(name, signal));
        const ofBase = await base(signal);
        // Without log-probabilities equal texts prove nothing: a fine-tune may have left these few tokens as they were.
        const unknown = answer.tokens === null || ofBase.tokens === null;
        if (unknown || distance(answer, ofBase) > 0 || (await adapterChangesNothing(path))) return answer;
        // It may be the base model's answer that is wrong, or one of before the server started again.
        baseAlone = undefined;
        if (!again) throw new AdapterWithoutEffect(name, path);
      }
    },
    async together(adapters, signal) {
      if (adapters.size === 0 || turns.separated) return;
      baseAlone = undefined;
      const alone = new Map([...adapters, [baseModel, await base(signal)]]);
      // The base model between each two adapters: it is in each batch of them.
      const names = [...adapters.keys()].flatMap((name) => [name, baseModel]);
      const answers = await turns.take('alone', signal, () =>
        Promise.all(names.map((name) => client.canary(name, signal).catch(unlessForgotten))),
      );
      for (const [place, name] of names.entries()) {
        const answer = answers[place];
        const other = answer === null || answer === undefined ? undefined : anotherThan(name, answer, alone);
        if (other === undefined) continue;
        if (name !== baseModel) throw new AnsweredByAnother(client.url, name, other);
        turns.separate();
        emit('base model beside adapters', { url: client.url, model: baseModel, answeredBy: other });
        return;
      }
    },
  };
}

/** A server that has started again since has lost its adapters: each is loaded again by the next request for it. */
function unlessForgotten(error: unknown): null {
  if (error instanceof EngineRefused && error.status === 404) return null;
  throw error;
}

/** The model whose answer alone the answer of `name` is much nearer to than to its own; undefined when there is none. */
function anotherThan(
  name: string,
  answer: CanaryAnswer,
  alone: ReadonlyMap<string, CanaryAnswer>,
): string | undefined {
  const own = alone.get(name);
  if (own === undefined) return undefined;
  const fromOwn = distance(answer, own);
  // On a GPU, answers change a little with what is beside them.
  return [...alone].find(([, other]) => fromOwn > 2 * distance(answer, other) + 0.01)?.[0];
}

/**
 * Whether the LoRA adapter in the folder `path` is the identity: every `lora_B` matrix is zero, as before the first step of
 * training (and after a single step of a warm-up, whose learning rate is 0). False when the folder is not on this machine, and when
 * the file is no safetensors file.
 *
 * @throws FileRefused
 */
async function adapterChangesNothing(path: string): Promise<boolean> {
  try {
    const folder = fileBlobs(path);
    const read = async (start: number, bytes: number): Promise<Buffer> =>
      (await folder.get('adapter_model.safetensors', { start, bytes })) ?? Buffer.alloc(0);
    const headerBytes = Number((await read(0, 8)).readBigUInt64LE());
    const header = headerSchema.parse(JSON.parse((await read(8, headerBytes)).toString('utf8')));
    const matrices = Object.entries(header).filter(([name]) => name.includes('lora_B'));
    for (const [, { data_offsets: offsets }] of matrices) {
      if (offsets === undefined) return false;
      const bytes = await read(8 + headerBytes + offsets[0], offsets[1] - offsets[0]);
      if (bytes.some((byte) => byte !== 0)) return false;
    }
    return matrices.length > 0;
  } catch (error) {
    if (error instanceof FileRefused) throw error;
    return false;
  }
}

/** The safetensors format: 8 bytes with the header's length, the header as JSON, then the tensors' bytes. */
const headerSchema = z.record(
  z.string(),
  z.object({ data_offsets: z.tuple([z.number().int(), z.number().int()]).optional() }),
);

/**
 * Has the server load the parts of a made-up adapter for each kind of module alone, and proves that each changes the answers: vLLM loads the
 * modules that --lora-target-modules names, and says nothing about the rest.
 *
 * @param path the made-up adapter's folder; each folder in `parts` has its part for one kind of module
 * @throws ModulesIgnored, AdapterNotLoaded, or the chat client's errors
 */
export async function requireAllModules(
  client: ChatClient,
  proofs: Proofs,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const modules = await modulesIn(path);
  const ignored: string[] = [];
  for (const module of modules) {
    const name = trialName(path, module);
    const part = join(path, 'parts', module);
    try {
      await client.loadAdapter(name, part, signal);
      await proofs.adapter(name, part, signal);
    } catch (error) {
      if (!(error instanceof AdapterWithoutEffect)) throw error;
      ignored.push(module);
    } finally {
      await client.unloadAdapter(name, signal).catch(() => undefined);
    }
  }
  if (ignored.length > 0) throw new ModulesIgnored(client.url, ignored, modules);
}

/** The name of a made-up adapter at a server. */
export function trialName(path: string, suffix: string | number): string {
  return `colloquy-trial-${basename(path)}-${suffix}`;
}

/** No parts when the folder is not on this machine. */
async function modulesIn(path: string): Promise<string[]> {
  const names = await fileBlobs(path).list('parts/');
  return names.flatMap((name) => /^parts\/([^/]+)\/adapter_config\.json$/.exec(name)?.[1] ?? []);
}

/** A server loads an adapter without its parts for some kinds of modules, and says nothing about it. */
export class ModulesIgnored extends ColloquyError {
  override name = 'ModulesIgnored' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(url: string, ignored: readonly string[], all: readonly string[]) {
    super(
      `${url} ignores what a fine-tune changes in ${ignored.join(', ')}: it has LoRA for other modules only. Start it with --lora-target-modules ${all.join(' ')}, ` +
        `or name only those that it has in fine_tune.lora_target_modules.`,
    );
  }
}
