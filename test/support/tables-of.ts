import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

type Row = Readonly<Record<string, unknown>>;

/**
 * A digest of each table of texts that an experiment has made: its debates, its datasets and the outcomes of its held-out questions.
 * Only what a reader would call content counts: not the order of keys, the names of files, content addresses, or how debates are
 * spread over files. A table is known by the shape of its rows, and named after the numbers and words in its path.
 *
 * @param folder everything that the experiment has written
 * @returns for the name of each table, the number of its rows and their SHA-256, by name
 */
export async function tablesOf(folder: string): Promise<Record<string, string>> {
  const tables = new Map<string, Row[]>();
  for (const file of await rowFiles(folder)) {
    const text = await readFile(join(folder, file), 'utf8');
    for (const line of text.split('\n').filter((each) => each !== '')) {
      const row = JSON.parse(line) as Row;
      const shape = shapes.find(({ has }) => has in row);
      if (shape === undefined) break;
      const name = `${nameOf(file)}: ${shape.kind}`;
      tables.set(name, [...(tables.get(name) ?? []), shape.content(row)]);
    }
  }
  const digests = [...tables].map(([name, rows]) => [name, `${rows.length} rows, ${digest(rows)}`] as const);
  return Object.fromEntries(digests.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The kinds of tables, each known by a key that only its rows have. */
const shapes: readonly { has: string; kind: string; content: (row: Row) => Row }[] = [
  {
    has: 'dialogues',
    kind: 'debates',
    content: ({ question, dialogues, answers, majority, consensus, agrees, finishReasons, truncated }) => ({
      question: (question as { text: string }).text,
      dialogues,
      answers,
      majority,
      consensus,
      agrees,
      finishReasons,
      truncated,
    }),
  },
  { has: 'completion', kind: 'dataset', content: ({ prompt, completion }) => ({ prompt, completion }) },
  {
    has: 'right',
    kind: 'outcomes',
    content: ({ question, gold, single, majority, debate, right, classes, finishReasons }) => ({
      question,
      gold,
      single,
      majority,
      debate,
      right,
      classes,
      finishReasons,
    }),
  },
];

/** E.g. `iteration 1, heldout` of iteration-1/evaluation/shard-000.jsonl: all shards of an iteration are one table. */
function nameOf(file: string): string {
  return file
    .replace(/\.jsonl$/, '')
    .replace(/[/\\]shard-\d+$/, '')
    .replaceAll(/(iteration|agent)-(\d+)/g, '$1 $2')
    .replaceAll(/[/\\]/g, ', ');
}

/** Tables as they were finished; a journal is one that was under way. */
async function rowFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.jsonl') && !/journal/.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();
}

function digest(rows: readonly Row[]): string {
  const hash = createHash('sha256');
  for (const row of rows) hash.update(`${JSON.stringify(row, sortedKeys)}\n`);
  return hash.digest('hex');
}

function sortedKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
