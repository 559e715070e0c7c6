/** Which bytes decide what a base model answers? Its weights, its tokenizer, its chat template and its configuration. And which licence does it have? */
import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { fileBlobs } from './blobs-file.ts';
import { ArtifactMissing } from './errors.ts';
import { isMissing, readError } from './files/atomic.ts';
import { sealedBytesOf } from './files/sealed.ts';
import { ask, type Hub } from './hub-access.ts';
import { type BaseModel, baseModelSchema } from './models.ts';

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
  return shortened(await baseModelHash(location));
}

/** The names and hashes of weight files, separated by commas, as one short name. */
export function shortened(hashes: string): string {
  const files = hashes.split(',').length;
  return files === 1 ? hashes : `${files} files:${createHash('sha256').update(hashes).digest('hex')}`;
}

/**
 * A base model's name by its weights: `<file>:<sha256>` of each .safetensors file of a folder, so that another model at the same path has
 * another name. A model that is not a local folder has its hub id as its name. A file is hashed once a process, and again when its size
 * or time changes.
 */
export async function baseModelHash(location: string): Promise<string> {
  const names = (await filesIn(location)).filter((name) => name.endsWith('.safetensors')).toSorted();
  if (names.length === 0) return location;
  return (await Promise.all(names.map(async (name) => `${name}:${await hashOnce(location, name)}`))).join(
    ',',
  );
}

/** The names in a folder; none when it is not a local folder. Other failures are thrown: they do not mean that it is not local. */
async function filesIn(location: string): Promise<string[]> {
  try {
    return await readdir(location);
  } catch (error) {
    if (isMissing(error)) return [];
    throw readError(location, error);
  }
}

const hashes = new Map<string, Promise<string>>();

async function hashOnce(folder: string, name: string): Promise<string> {
  const { size, mtimeMs } = await stat(join(folder, name));
  const key = `${join(folder, name)}:${size}:${mtimeMs}`;
  const known = hashes.get(key);
  if (known !== undefined) return known;
  const hash = hashOf(folder, name);
  hashes.set(key, hash);
  // After a failed read the next call tries again.
  hash.catch(() => hashes.delete(key));
  return hash;
}

async function hashOf(folder: string, name: string): Promise<string> {
  const blobs = fileBlobs(folder);
  const found = await sealedBytesOf({ blobs, name, where: blobs.where(name) });
  if (found === null) throw new ArtifactMissing(join(folder, name));
  return found.sha256;
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

/** NAME/begun-with.json: written when the experiment begins, and compared each time it is prepared again. A copy is in NAME/begun. */
export const begunWithSchema = z.strictObject({
  formatVersion: z.literal(1),
  models: z.array(z.strictObject({ base: baseModelSchema, files: hashesSchema })),
  /** SHA-256 of the user's own files of questions, by their paths in the config. */
  questionFiles: hashesSchema,
  /** Those that had other bytes when the experiment was last prepared again. Its questions stay the stored ones. */
  changedQuestionFiles: z.array(z.string()).readonly(),
  /** Present when there was no record yet at a time when the experiment had already begun. */
  recordedLater: z.literal(true).optional(),
  /** What the endpoint could not do when the experiment was last prepared. Absent in records of earlier versions. */
  endpointLacks: z
    .array(z.strictObject({ says: z.string(), remedy: z.string() }).readonly())
    .readonly()
    .optional(),
});
export type BegunWith = Readonly<z.infer<typeof begunWithSchema>>;

/** What a record says about a base model; undefined when it has none of this name at this endpoint. */
export function recordedModel(
  record: BegunWith | null,
  { endpoint, name }: Pick<BaseModel, 'endpoint' | 'name'>,
): BegunWith['models'][number] | undefined {
  return record?.models.find(({ base }) => base.endpoint === endpoint && base.name === name);
}

/** The licence of a base model, as its card states it. */
export type BaseLicence = {
  /** For messages: its id on the hub, or its folder's name. */
  readonly base: string;
  /** In the words of https://huggingface.co/docs/hub/repositories-licenses; null when none is stated. */
  readonly id: string | null;
  /** Of a licence that the hub has no word for (`license: other`). */
  readonly name: string | null;
  readonly link: string | null;
  /** Its licence and notice: files of the model's own folder. */
  readonly files: readonly { readonly name: string; readonly content: Buffer }[];
};

/** @throws HubNotReachable, HubRefused when this account may not see the model */
export async function licenceOnHub(hub: Hub, base: string): Promise<BaseLicence> {
  const { library, asked } = hub;
  return ask(hub, `to read the licence of ${base}`, async () => {
    const found = await library.modelInfo({
      name: base,
      additionalFields: ['cardData', 'sha'] as ['cardData', 'sha'],
      ...asked,
    });
    const of = { repo: { type: 'model', name: base } as const, revision: found.sha, ...asked };
    const files: BaseLicence['files'][number][] = [];
    for await (const { type, path } of library.listFiles(of)) {
      if (type !== 'file' || !licenceFile.test(path)) continue;
      // Of a gated model that this account may not read: whether a copy is needed is found out later.
      const blob = await library
        .downloadFile({ ...of, path: encodeURIComponent(path), xet: false })
        .catch((error: unknown) => {
          if (hub.refusal(error)?.status === 403 || hub.refusal(error)?.status === 401) return null;
          throw error;
        });
      if (blob !== null) files.push({ name: path, content: Buffer.from(await blob.arrayBuffer()) });
    }
    return { ...statedLicence(base, found.cardData), files };
  });
}

export async function licenceInFolder(folder: string): Promise<BaseLicence> {
  const blobs = fileBlobs(folder);
  const files: BaseLicence['files'][number][] = [];
  for (const name of (await blobs.list('')).filter((each) => licenceFile.test(each))) {
    const content = await blobs.get(name);
    if (content !== null) files.push({ name, content });
  }
  const text = /^---\r?\n([^]*?)\r?\n---/.exec((await blobs.get('README.md'))?.toString('utf8') ?? '')?.[1];
  return { ...statedLicence(basename(folder), text === undefined ? null : parse(text)), files };
}

/** The files of a model's own folder that state its licence. */
const licenceFile = /^(?:licen[cs]e|notice|use[_-]?policy|terms)[^/]*$/i;

/** The licence in the front matter of a model's card. */
function statedLicence(base: string, card: unknown): Omit<BaseLicence, 'files'> {
  const entries = new Map<string, unknown>(
    typeof card === 'object' && card !== null ? Object.entries(card) : [],
  );
  const text = (key: string): string | null => {
    const value = entries.get(key);
    const one: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
    return typeof one === 'string' && one !== '' && one !== 'unknown' ? one : null;
  };
  const id = text('license')?.toLowerCase() ?? null;
  return { base, id, name: text('license_name'), link: text('license_link') };
}
