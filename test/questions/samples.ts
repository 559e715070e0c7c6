/**
 * Small datasets in the layouts of those of the hub. Every question is our own: none of these rows is in any of the datasets.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';

export type Row = Readonly<Record<string, unknown>>;

export function gsm8kRow(n: number): Row {
  return {
    question: `A heron catches ${n} fish each morning and 2 each evening. How many does it catch in a day?`,
    answer: `Morning and evening together: ${n} + 2 = <<${n}+2=${n + 2}>>${n + 2} fish.\n#### ${(n + 2).toLocaleString('en')}`,
  };
}

/** Levels 1 to 5 in turn. */
export function mathRow(subject: string, n: number): Row {
  return {
    problem: `In the ${subject} hall, find $x$ when $x - ${n} = \\frac{1}{2}$.`,
    level: `Level ${(n % 5) + 1}`,
    type: subject,
    solution: `Adding gives $x = \\boxed{${n}}$? No, the half is missing: $x = \\boxed{\\frac{${2 * n + 1}}{2}}$.`,
  };
}

export function math500Row(n: number): Row {
  return {
    problem: `How many whole numbers lie strictly between $0$ and $${n}$?`,
    solution: `They are $1$ to $${n - 1}$: $\\boxed{${n - 1}}$.`,
    answer: String(n - 1),
    subject: 'Number Theory',
    level: (n % 5) + 1,
    unique_id: `test/number_theory/${n}.json`,
  };
}

/** The right choice is B. */
export function mmluRow(n: number): Row {
  return {
    question: `Which of these rivers flows through the invented town number ${n}?`,
    subject: 'invented_geography',
    choices: [`the Alder ${n}`, `the Birch ${n}`, `the Cedar ${n}`, 'none of them'],
    answer: 1,
  };
}

export function rows(from: number, to: number, row: (n: number) => Row): Row[] {
  return Array.from({ length: to - from }, (_, index) => row(from + index));
}

/** Writes rows as JSON lines, or as Parquet when the name ends so. Folders above are made. @returns the path */
export function writeRows(path: string, content: readonly Row[]): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, path.endsWith('.parquet') ? parquetOf(content) : linesOf(content));
  return path;
}

function linesOf(content: readonly Row[]): string {
  return content.map((row) => `${JSON.stringify(row)}\n`).join('');
}

/** Whole numbers become INT64, as they are in the datasets. */
export function parquetOf(content: readonly Row[]): Uint8Array {
  const columnData = Object.keys(content[0] ?? {}).map((name) => {
    const values = content.map((row) => row[name]);
    const whole = values.every((value) => Number.isInteger(value));
    return { name, data: whole ? values.map((value) => BigInt(Number(value))) : values };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

const subjects = [
  'algebra',
  'counting_and_probability',
  'geometry',
  'intermediate_algebra',
  'number_theory',
  'prealgebra',
  'precalculus',
];

/** So many questions a split; of MATH, a subject and split. */
export type Sizes = { readonly train: number; readonly test: number };

/** The files of a small dataset of each kind, by path, in the layout of the hub. */
export const sampleFiles = {
  gsm8k: ({ train, test }: Sizes) => ({
    'main/train-00000-of-00001.parquet': rows(0, train, gsm8kRow),
    'main/test-00000-of-00001.parquet': rows(100_000, 100_000 + test, gsm8kRow),
  }),
  math: ({ train, test }: Sizes) =>
    Object.fromEntries(
      subjects.flatMap((subject) => [
        [`${subject}/train-00000-of-00001.parquet`, rows(0, train, (n) => mathRow(subject, n))],
        [`${subject}/test-00000-of-00001.parquet`, rows(1000, 1000 + test, (n) => mathRow(subject, n))],
      ]),
    ),
  'math-500': ({ test }: Sizes) => ({ 'test.jsonl': rows(1, 1 + test, math500Row) }),
  mmlu: ({ train, test }: Sizes) => ({
    'all/validation-00000-of-00001.parquet': rows(0, train, mmluRow),
    'all/test-00000-of-00001.parquet': rows(100_000, 100_000 + test, mmluRow),
  }),
};

/** Writes a small dataset into a folder, as `hf download` leaves it. @returns the folder */
export function writeDataset(folder: string, kind: keyof typeof sampleFiles, sizes: Sizes): string {
  for (const [path, content] of Object.entries(sampleFiles[kind](sizes))) {
    writeRows(join(folder, path), content);
  }
  return folder;
}
