/** How is an export published, and what do all of its cards have? */
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { basename, isAbsolute, join, relative } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { type Accuracy, accuracyInterval } from '../algorithm/measures/answers.ts';
import type { SamplingSettings } from '../config/agents.ts';
import { roundedRank } from '../config/fine-tune.ts';
import { fileBlobs } from '../store/blobs-file.ts';
import { placeIn } from '../store/blobs.ts';
import { StoreNotWritable } from '../store/errors.ts';
import type { StoredManifest } from '../store/models.ts';
import { publishFolder, temporaryPath, writeAtomically } from '../store/files/atomic.ts';
import { sealedBytesOf } from '../store/files/sealed.ts';
import { chance, count, evaluationName, withError } from '../text/figures.ts';
import { fenced, markdownTable, shellQuoted, tableCell } from '../text/safe-text.ts';
import { ExportFolderTaken, OutputNotWritable } from './errors.ts';
import type { Destination, HubPlace } from './licences.ts';

/**
 * Makes the folder of an export with everything that `write` puts into it, or not at all. An unchanged earlier export in its place is
 * replaced at the last moment; anything else there stays.
 *
 * @param path absolute
 * @param facts what is exported, for its colloquy-export.json
 * @param hub where it is to be pushed; undefined when it stays here
 * @throws ExportFolderTaken before anything is written, OutputNotWritable, DiskFull, and what `write` throws
 */
export async function publishExport(
  path: string,
  facts: object,
  hub: HubPlace | undefined,
  write: (folder: string) => Promise<void>,
): Promise<void> {
  await requireReplaceable(path);
  const before = temporaryPath(path);
  try {
    const published = await publishFolder(path, async (folder) => {
      await write(folder);
      for (const { name, content } of hub?.files ?? []) await writeAtomically(join(folder, name), [content]);
      await writeExportManifest(folder, facts);
      await requireReplaceable(path);
      await moveIfThere(path, before);
    });
    if (!published) throw new ExportFolderTaken(path, 'was made by another program in the meantime');
  } catch (error) {
    await moveIfThere(before, path);
    if (error instanceof StoreNotWritable) throw new OutputNotWritable(path, error);
    // The folder above was made before; where it is still missing, nothing can be made (in /proc, for example).
    if (error instanceof Error && 'syscall' in error && error.syscall === 'mkdir')
      throw new OutputNotWritable(path, error);
    throw error;
  }
  await rm(before, { recursive: true, force: true });
}

async function requireReplaceable(path: string): Promise<void> {
  const reason = await whyNotReplaced(path);
  if (reason !== null) throw new ExportFolderTaken(path, reason);
}

async function moveIfThere(path: string, to: string): Promise<void> {
  try {
    await rename(path, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

/** Marks a folder as an export, with the hashes that show whether a file was changed since. */
export const exportManifest = 'colloquy-export.json';
const manifestSchema = z.object({
  formatVersion: z.literal(1),
  experiment: z.string().optional(),
  files: z.record(z.string(), z.string()),
});
type ExportManifest = Readonly<z.infer<typeof manifestSchema>>;

/** Writes colloquy-export.json, as the last file, with the SHA-256 of every other file in the folder. */
async function writeExportManifest(folder: string, facts: object): Promise<void> {
  const files = Object.fromEntries(
    await Promise.all(
      (await pathsBelow(folder)).map(async (path) => [path, (await sha256Of(folder, path)) ?? ''] as const),
    ),
  );
  const text = `${JSON.stringify({ formatVersion: 1, ...facts, files }, null, 2)}\n`;
  await writeAtomically(join(folder, exportManifest), [Buffer.from(text)]);
}

/**
 * Why an export must not replace what is at `path`; null when there is nothing, an empty folder, or an unchanged export.
 */
async function whyNotReplaced(path: string): Promise<string | null> {
  let isFolder: boolean;
  try {
    isFolder = (await lstat(path)).isDirectory();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return null;
    if (code === 'ENOTDIR') return 'lies below a file';
    if (code === 'ENAMETOOLONG') return 'is too long a name for this disk';
    throw error;
  }
  if (!isFolder) return 'is no folder';
  const manifest = await fileBlobs(path).get(exportManifest);
  if (manifest === null) {
    // Only its own entries are listed: what is below may be a whole disk.
    const [first] = (await readdir(path)).toSorted();
    return first === undefined ? null : `holds ${first}, which no export has written`;
  }
  const found = await pathsBelow(path);
  const { files } = readExportManifest(manifest);
  const added = found.find((each) => files[each] === undefined);
  if (added !== undefined) return `holds ${added}, which no export has written`;
  for (const each of found)
    if ((await sha256Of(path, each)) !== files[each])
      return `is an export, but its ${each} was changed since`;
  return null;
}

/** What a colloquy-export.json says. An unreadable one names no file, so every file in the folder then counts as added. */
export function readExportManifest(bytes: Buffer): ExportManifest {
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    return { formatVersion: 1, files: {} };
  }
}

async function sha256Of(folder: string, path: string): Promise<string | undefined> {
  return (await sealedBytesOf(placeIn(fileBlobs(folder), path)))?.sha256;
}

/** Every file but the manifest, relative to the folder, in a fixed order. */
async function pathsBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
    .filter((path) => path !== exportManifest)
    .toSorted();
}

/** A card, Hugging Face's README.md: front matter in YAML, then sections of Markdown. What follows are the parts that the cards of datasets and of models share. */
export function card(frontMatter: object, sections: readonly string[]): string {
  // Hugging Face reads YAML 1.1, to which a bare `no` is a truth value.
  const yaml = stringify(frontMatter, { compat: 'yaml-1.1' });
  return `---\n${yaml}---\n\n${sections.join('\n\n')}\n`;
}

/**
 * Settings as a block of YAML.
 *
 * @param withFolders false: of paths of this machine only the last part is shown, as others are to read it
 */
export function settingsBlock(settings: unknown, withFolders = true): string {
  const shown = withFolders
    ? settings
    : JSON.parse(
        JSON.stringify(settings, (_, value: unknown) =>
          typeof value === 'string' && isAbsolute(value) ? basename(value) : value,
        ),
      );
  return fenced(stringify(shown).trimEnd(), 'yaml');
}

/** A table of texts. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return markdownTable(
    head,
    rows.map((row) => row.map(tableCell)),
  );
}

/** Accuracies of the base model and after iterations, in per cent with standard errors. */
export function accuracyTable(evaluations: readonly Evaluation[]): string {
  return textTable(
    ['accuracy, %', 'single answer', 'majority', 'debate'],
    evaluations.map(({ iteration, questions, single, majority, debate }) => [
      evaluationName(iteration),
      ...[single, majority, debate].map((each) => withError(each, accuracyInterval(each, questions))),
    ]),
  );
}

/**
 * The evaluation of the one model that a group was distilled into, beside the group's debate.
 *
 * @param tokens of all answers to the held-out questions
 */
export function besideDebate(
  own: Evaluation,
  group: Evaluation | undefined,
  tokens: { readonly own: number; readonly debate: number },
): string[] {
  const row = (name: string, accuracy: Accuracy, used: number) => [
    name,
    withError(accuracy, accuracyInterval(accuracy, own.questions)),
    count(used / own.questions),
  ];
  return [
    `## Evaluation\n\n${count(own.questions)} held-out questions, ± one standard error; tokens read and written. ` +
      `The two on the same questions: ${chance(own.debateVersusBase.pValue)} (McNemar, exact).`,
    textTable(
      ['', 'accuracy, %', 'tokens a question'],
      [
        row('this model, asked once', own.single, tokens.own),
        ...(group === undefined ? [] : [row("the group's debate", group.debate, tokens.debate)]),
      ],
    ),
  ];
}

/** What made it, with links. */
export const provenance =
  'Made by Colloquy, which implements "Multiagent Finetuning: Self Improvement with Diverse Reasoning Chains" ' +
  '([arXiv:2501.05707](https://arxiv.org/abs/2501.05707), ICLR 2025).';

/** The program knows neither the licence of the questions nor that of the base model. */
export const licenceSection = [
  '## Licence',
  '',
  'Not stated: it depends on the licences of the questions and of the base model. Add a `license` to the front matter before you publish it.',
].join('\n');

/** A question in the words of the training: the code is to answer something, and not only to load. */
function inChat({ enable_thinking }: SamplingSettings): string[] {
  // The same variables as in its training.
  const variables =
    enable_thinking === undefined ? '' : `, enable_thinking=${enable_thinking ? 'True' : 'False'}`;
  return [
    'messages = [{"role": "user", "content": "3+4*5-6"}]',
    `tokens = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True${variables})`,
    'answer = model.generate(**tokens, max_new_tokens=256)',
    'print(tokenizer.decode(answer[0][tokens["input_ids"].shape[1]:], skip_special_tokens=True))',
  ];
}

/** Where the code of a card finds the model, and how it says so. */
function placeOf({ path, hub, subfolder }: Destination): {
  readonly at: string;
  readonly within: string;
  readonly comment: string;
} {
  if (hub === undefined) return { at: path, within: '', comment: '  # where this export was written' };
  const within = subfolder === undefined ? '' : `, subfolder=${JSON.stringify(subfolder)}`;
  return { at: hub.repo, within, comment: '' };
}

export function adapterInPython(base: string, to: Destination, sampling: SamplingSettings): string {
  const { at, within, comment } = placeOf(to);
  return [
    'from peft import PeftModel',
    'from transformers import AutoModelForCausalLM, AutoTokenizer',
    '',
    `base = ${JSON.stringify(base)}`,
    `adapter = ${JSON.stringify(at)}${comment}`,
    'tokenizer = AutoTokenizer.from_pretrained(base)',
    `model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter${within})`,
    ...inChat(sampling),
  ].join('\n');
}

export function wholeInPython(to: Destination, sampling: SamplingSettings): string {
  const { at, within, comment } = placeOf(to);
  return [
    'from transformers import AutoModelForCausalLM, AutoTokenizer',
    '',
    `folder = ${JSON.stringify(at)}${comment}`,
    `tokenizer = AutoTokenizer.from_pretrained(folder${within})`,
    `model = AutoModelForCausalLM.from_pretrained(folder${within})`,
    ...inChat(sampling),
  ].join('\n');
}

export function adapterInVllm(base: string, to: Destination, { settings }: StoredManifest): string {
  const atMost = roundedRank(Number(settings['lora_r']));
  const { before, at } = downloaded(to);
  return `${before}vllm serve ${shellQuoted(base)} --enable-lora --max-lora-rank ${atMost} --lora-modules ${shellQuoted(`${basename(to.path)}=${at}`)}`;
}

export function wholeInVllm(to: Destination, name: string): string {
  const { before, at } = downloaded(to);
  return `${before}vllm serve ${shellQuoted(at)} --served-model-name ${name}`;
}

/** vLLM loads a repository by its name, but no folder within one. */
function downloaded({ path, hub, subfolder }: Destination): { readonly before: string; readonly at: string } {
  if (hub === undefined) return { before: '', at: path };
  if (subfolder === undefined) return { before: '', at: hub.repo };
  const before = `hf download ${hub.repo} --include ${shellQuoted(`${subfolder}/*`)} --local-dir .\n`;
  return { before, at: `./${subfolder}` };
}
