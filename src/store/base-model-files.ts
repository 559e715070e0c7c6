/** Which bytes decide what a base model answers? Its weights, its tokenizer, its chat template and its configuration. */
import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { isMissing, readError } from './files/atomic.ts';
import { baseModelHash, baseModelSchema, filesIn, hashOnce } from './models.ts';

/** Hashes by the name of the file. */
export type FileHashes = Readonly<Record<string, string>>;

/** Also weights that are in no .safetensors file. Not among them: texts about the model, and the list of the shards of its weights. */
const deciding =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|chat_template)\.json$|^(merges|vocab)\.txt$|\.(jinja|model|tiktoken|bin|pt|gguf)$/;

/**
 * The files of a model in a folder, without .safetensors files, which its name has (`baseModelHash`); none when it is not a local folder.
 *
 * @throws FileRefused when a file cannot be read
 */
export async function decidingFiles(location: string): Promise<FileHashes> {
  const names = (await filesIn(location)).filter((name) => deciding.test(name)).toSorted();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await hashOnce(location, name)] as const)),
  );
}

/**
 * A short name made from the hash of a model's weights; its hub id or path where it is in no folder with .safetensors files. Every step of a
 * run carries it, so it must not grow with the number of files.
 */
export async function weightsName(location: string): Promise<string> {
  const hashes = await baseModelHash(location);
  const files = hashes.split(',').length;
  return files === 1 ? hashes : `${files} files:${createHash('sha256').update(hashes).digest('hex')}`;
}

/** One short hash of many. */
export function hashOfFiles(files: FileHashes): string {
  return createHash('sha256').update(JSON.stringify(files)).digest('hex');
}

/**
 * The files of a model of the hub, weights included, as far as they are in Hugging Face's cache on this machine. The cache names each file
 * by its content. Which files are there depends on what has loaded the model so far.
 *
 * @param id e.g. `Qwen/Qwen3-0.6B`
 */
export async function cachedFiles(id: string): Promise<FileHashes> {
  const home = process.env['HF_HOME'] || join(homedir(), '.cache', 'huggingface');
  const model = join(process.env['HF_HUB_CACHE'] || join(home, 'hub'), `models--${id.replace('/', '--')}`);
  const commit = await textOf(join(model, 'refs', 'main'));
  if (commit === null) return {};
  const folder = join(model, 'snapshots', commit.trim());
  const names = (await filesIn(folder)).filter(
    (name) => deciding.test(name) || name.endsWith('.safetensors'),
  );
  const blobs = await Promise.all(
    names.map(
      async (name) => [name, basename(await realpath(join(folder, name)).catch(() => name))] as const,
    ),
  );
  // Without links there are no names by content.
  return Object.fromEntries(blobs.filter(([name, blob]) => blob !== name));
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw readError(path, error);
  }
}

/** By path or name. */
const hashesSchema = z.record(z.string(), z.string()).readonly();

/** NAME/begun-with.json: written when the experiment begins, and compared each time it is prepared again. */
export const begunWithSchema = z.strictObject({
  formatVersion: z.literal(1),
  models: z.array(z.strictObject({ base: baseModelSchema, files: hashesSchema })),
  /** SHA-256 of the user's own files of questions, by their paths in the config. */
  questionFiles: hashesSchema,
  /** Those that had other bytes when the experiment was last prepared again. Its questions stay the stored ones. */
  changedQuestionFiles: z.array(z.string()).readonly(),
});
export type BegunWith = Readonly<z.infer<typeof begunWithSchema>>;
