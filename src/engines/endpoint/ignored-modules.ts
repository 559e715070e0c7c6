/** Which kinds of modules does a server leave out of an adapter? vLLM loads what its --lora-target-modules names, and says nothing about the rest. */
import { basename, join } from 'node:path';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { fileBlobs } from '../../store/blobs-file.ts';
import { AdapterWithoutEffect } from '../errors.ts';
import type { ChatClient } from './chat-client.ts';
import type { Proofs } from './proof.ts';

/**
 * Has the server load what a made-up adapter is for each kind of module alone, and proves that it changes the answers.
 *
 * @param path of the made-up adapter's folder; the folders in `parts` have what it is for each kind
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

/** None when the folder is not on this machine. */
async function modulesIn(path: string): Promise<string[]> {
  const names = await fileBlobs(path).list('parts/');
  return names.flatMap((name) => /^parts\/([^/]+)\/adapter_config\.json$/.exec(name)?.[1] ?? []);
}

/** A server loads an adapter without what it has for some kinds of modules, and says nothing about it. */
export class ModulesIgnored extends ColloquyError {
  override name = 'ModulesIgnored' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(url: string, ignored: readonly string[], all: readonly string[]) {
    super(
      `${url} ignores what a fine-tune changes in ${ignored.join(', ')}: it has LoRA for other modules. Start it with --lora-target-modules ${all.join(' ')}, ` +
        `or name only those that it has in fine_tune.lora_target_modules.`,
    );
  }
}
