import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { build } from 'esbuild';
import { z } from 'zod';
import type { Debate } from '../../algorithm/debate.ts';
import type { Outcome } from '../../algorithm/evaluation.ts';
import { writeBytes } from '../../store/blobs.ts';
import { ArtifactMissing, isUnreadable } from '../../store/errors.ts';
import { readDebates } from '../../store/records/rows.ts';
import { readDocument } from '../../store/files/documents.ts';
import { begunIterations, type ExperimentFiles } from '../../store/store.ts';
import { count, evaluationName } from '../../text/figures.ts';
import { styleSheet } from '../parts/page.tsx';
import { heldOutDebates } from '../read/experiment.ts';
import { type About, browsedDebate, type BrowsedSet, debateEntry } from './browsed-debate.ts';

const mebibyte = 2 ** 20;

export type BrowsedExperiment = {
  readonly name: string;
  /** Its evaluations, ascending; 0 is the base model. */
  readonly evaluations: readonly Debated[];
  /** Its iterations, ascending, with the number of training questions that were debated. */
  readonly trained: readonly Debated[];
  /** Whether agents were shown summaries of the others' responses. */
  readonly summarize: boolean;
};
type Debated = { readonly iteration: number; readonly questions: number };

/**
 * Writes an experiment's debates.html, replacing what is there: all debates, on held-out and on training questions, in one file that needs no network, in blocks that the
 * page unpacks one at a time. Debates are read and written one after another, so that memory does not grow with their texts. Damaged and
 * missing ones are left out, and the page says so.
 *
 * @param mostBytes the size of the file, to within a block. The newest evaluation goes in first, then the base model's, then the other
 *   evaluations from the newest back, then the training debates in the same order
 * @throws DiskFull, StoreNotWritable
 */
export async function writeDebateBrowser(
  files: ExperimentFiles,
  experiment: BrowsedExperiment,
  mostBytes = 128 * mebibyte,
): Promise<void> {
  await writeBytes(files.debateBrowser, debateBrowser(files, experiment, mostBytes));
}

/** The content of such a file, also of an experiment that has not finished. */
export async function* debateBrowser(
  files: ExperimentFiles,
  experiment: BrowsedExperiment,
  mostBytes = 128 * mebibyte,
): AsyncGenerator<Buffer> {
  const parts = await documentParts();
  for await (const part of partsOf(files, experiment, mostBytes, parts)) yield Buffer.from(part);
}

type DocumentParts = ReturnType<typeof browserDocument>;

async function documentParts(): Promise<DocumentParts> {
  const css = styleSheet('pages/base.css', 'debate-browser/page/browser.css');
  return browserDocument({ css, script: await browserScript() });
}

async function* partsOf(
  files: ExperimentFiles,
  { name, evaluations, trained, summarize }: BrowsedExperiment,
  mostBytes: number,
  { head, block, foot }: DocumentParts,
): AsyncGenerator<string> {
  const debates = packedLines(mebibyte);
  const entries = packedLines(mebibyte);
  const full = () => debates.bytes() + entries.bytes() >= mostBytes;
  const missing: string[] = [];
  yield head;
  for (const { set, iteration, questions } of mostReadFirst(evaluations, trained)) {
    let taken = 0;
    const problems: Error[] = [];
    const source = set === 'heldout' ? heldOutDebates(files, iteration) : trainingDebates(files, iteration);
    for await (const { debate, outcome } of untilDamaged<ReadDebate>(source, problems)) {
      if (full()) break;
      await entries.add(debateEntry(debate, outcome, { iteration, ...debates.place() }));
      await debates.add(browsedDebate(debate, outcome, summarize));
      taken += 1;
      for (const packed of debates.take()) yield block('debates', packed);
    }
    const reason = problems[0]?.message ?? (full() ? sizeText(mostBytes) : 'The store has no more of them.');
    const which = `${evaluationName(iteration)}${set === 'train' ? ', training questions' : ''}`;
    if (taken < questions)
      missing.push(`${which}: ${count(taken)} of ${count(questions)} debates. ${reason}`);
  }
  await debates.end();
  for (const packed of debates.take()) yield block('debates', packed);
  await entries.end();
  for (const packed of entries.take()) yield block('entries', packed);
  const about: About = {
    experiment: name,
    iterations: evaluations.map(({ iteration }) => iteration),
    missing,
  };
  yield block('about', await packedAlone(about));
  yield foot;
}

/** What there is of an experiment that has not finished. How many training debates there will be is not known. */
export async function debatesSoFar(
  files: ExperimentFiles,
  { name, evaluations }: Pick<BrowsedExperiment, 'name' | 'evaluations'>,
): Promise<BrowsedExperiment> {
  const begun = (await begunIterations(files)).filter((iteration) => iteration > 0);
  const trained = begun.map((iteration) => ({ iteration, questions: 0 }));
  const config = await readDocument(files.config, z.object({ summarize: z.boolean() }));
  return { name, evaluations, trained, summarize: config?.summarize ?? false };
}

type ReadDebate = { readonly debate: Debate; readonly outcome: Outcome | null };

async function* trainingDebates(files: ExperimentFiles, iteration: number): AsyncGenerator<ReadDebate> {
  for await (const debate of readDebates(files.debates(iteration, 'train'))) yield { debate, outcome: null };
}

/**
 * Items up to the first artifact that is damaged or missing; its error is added to `problems`. For pages that are useful in part: an
 * experiment's result must not wait until an old debate is held again.
 */
async function* untilDamaged<Item>(items: AsyncIterable<Item>, problems: Error[]): AsyncGenerator<Item> {
  try {
    yield* items;
  } catch (error) {
    if (!(isUnreadable(error) || error instanceof ArtifactMissing)) throw error;
    problems.push(error);
  }
}

/** Held-out debates before training debates; of the former the newest, the base model's, and then from the newest back. */
function mostReadFirst(
  evaluations: readonly Debated[],
  trained: readonly Debated[],
): (Debated & { readonly set: BrowsedSet })[] {
  const newestFirst = evaluations.toReversed();
  const [newest] = newestFirst;
  const base = newestFirst.find(({ iteration }) => iteration === 0);
  const first = new Set([newest, base].filter((each) => each !== undefined));
  const heldOut = [...first, ...newestFirst.filter((each) => !first.has(each))];
  return [
    ...heldOut.map((each) => ({ ...each, set: 'heldout' as const })),
    ...trained.toReversed().map((each) => ({ ...each, set: 'train' as const })),
  ];
}

function sizeText(bytes: number): string {
  return `The file ends at ${Math.round(bytes / mebibyte)} MiB; \`colloquy show\` prints the others.`;
}

async function packedAlone(value: object): Promise<string> {
  const lines = packedLines(1);
  await lines.add(value);
  return lines.take().join('');
}

/**
 * The parts of debates.html around its data. The page allows only its own script and style sheet, both named by their hashes: no other
 * code, no request, no form, no HTML made from strings (Trusted Types without any policy).
 */
export function browserDocument({ css, script }: { readonly css: string; readonly script: string }) {
  const policy = [
    "default-src 'none'",
    `script-src '${hash(script)}'`,
    `style-src '${hash(css)}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
  return {
    head: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Debates · Colloquy</title>
<style>${css}</style>
</head>
<body>
<div id="app"><p class="loading">Reading the debates …</p></div>
<noscript><p class="loading">This page is a program: it needs JavaScript to unpack the debates. It loads nothing from anywhere.</p></noscript>
`,
    /** Data that no browser runs or shows. `packed` is base64. */
    block: (kind: 'debates' | 'entries' | 'about', packed: string) =>
      `<script type="application/octet-stream" class="${kind}">${packed}</script>\n`,
    foot: `<script>${script}</script>\n</body>\n</html>\n`,
  };
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

let script: Promise<string> | undefined;

/**
 * The code of the page (page/ with Preact) as one script that needs nothing else. It is made once in a process: a third of a second of CPU
 * time, which each report would take again. The bytes are the same each time.
 */
export function browserScript(): Promise<string> {
  script ??= bundledPage().catch((error: unknown) => {
    script = undefined;
    throw error;
  });
  return script;
}

async function bundledPage(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('./page/main.tsx', import.meta.url))],
    bundle: true,
    write: false,
    // A third of Temml's half megabyte is left after this.
    minify: true,
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    // Neither a tsconfig.json in a folder above nor this machine's folder names may change the bytes.
    tsconfigRaw: {},
    absWorkingDir: fileURLToPath(new URL('.', import.meta.url)),
    banner: { js: '/* Contains Preact and Temml, which are under the MIT licence. */' },
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}

/**
 * Gathers lines of JSON into blocks, each packed by itself, so that a page unpacks only what it shows. A packed block is base64 of gzip:
 * no character in it means anything in HTML. `unpack` in page/library.ts is the reverse.
 *
 * @param blockLength a block is closed when it has this many characters
 */
export function packedLines(blockLength: number) {
  let lines: string[] = [];
  let length = 0;
  let ready: string[] = [];
  let blocks = 0;
  let bytes = 0;
  const close = async (): Promise<void> => {
    const packed = (await compressed(lines.join('\n'))).toString('base64');
    ready.push(packed);
    blocks += 1;
    bytes += packed.length;
    lines = [];
    length = 0;
  };
  return {
    /** Where the next line will be: which block, which line there. */
    place: () => ({ block: blocks, line: lines.length }),
    async add(value: object): Promise<void> {
      const line = JSON.stringify(value);
      lines.push(line);
      length += line.length;
      if (length >= blockLength) await close();
    },
    /** Closes the last block, unless it is empty. */
    async end(): Promise<void> {
      if (lines.length > 0) await close();
    },
    /** The blocks closed since this was last called. */
    take(): string[] {
      const taken = ready;
      ready = [];
      return taken;
    },
    /** The size of all closed blocks, packed. */
    bytes: () => bytes,
  };
}

const compressed = promisify<string, Buffer>(gzip);
