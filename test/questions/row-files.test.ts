/** The forms in which a person may have questions: encodings, compression, lists and other columns. */
import { renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { loadTask } from './load-task.ts';
import { rows as sampleRows, writeRows } from './samples.ts';

const folder = temporaryFolder();

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}
const rows = (name: string, from: number, to: number) =>
  writeRows(
    join(folder, name),
    sampleRows(from, to, (n) => ({ question: `What is ${n}?`, answer: n })),
  );
const load = (task: object) => loadTask(resolveConfig({ preset: 'paper', task: { kind: 'jsonl', ...task } }));

describe('a file of questions', () => {
  const twoRows = '{"question":"Größe?","answer":"1"}\n{"question":"B?","answer":2}\n';
  it.each([
    ['gzip', gzipSync(twoRows)],
    ['UTF-16 with a byte order mark', Buffer.from(`\uFEFF${twoRows}`, 'utf16le')],
    ['UTF-16 without one', Buffer.from(twoRows, 'utf16le')],
    ['UTF-16 in the other order', Buffer.from(`\uFEFF${twoRows}`, 'utf16le').swap16()],
    ['a JSON list on one line', Buffer.from(`[${twoRows.trim().replace('\n', ', ')}]`)],
    [
      'a JSON list on many lines',
      Buffer.from(
        JSON.stringify(
          twoRows
            .trim()
            .split('\n')
            .map((row) => JSON.parse(row) as object),
          null,
          2,
        ),
      ),
    ],
  ])('takes its questions from a file in %s', async (_, bytes) => {
    const { train } = await load({
      train_file: file('encoded.jsonl', bytes),
      test_file: rows('test.jsonl', 10, 12),
    });
    expect(train.map(({ text }) => text)).toEqual(['Größe?', 'B?']);
  });

  it('takes a Parquet file by its ending in capital letters, too', async () => {
    const content = sampleRows(0, 30, (n) => ({ question: `What is ${n}?`, answer: n }));
    renameSync(writeRows(join(folder, 'big.parquet'), content), join(folder, 'BIG.PARQUET'));
    const { train } = await load({
      train_file: join(folder, 'BIG.PARQUET'),
      test_file: rows('test.jsonl', 40, 42),
    });
    expect(train).toHaveLength(30);
  });

  it.each([
    ['zstd', [0x28, 0xb5, 0x2f, 0xfd, 0, 0], 'it is compressed with zstd: decompress it'],
    ['zip', [0x50, 0x4b, 3, 4, 9, 9], 'it is compressed with zip'],
    [
      'a Parquet file with another ending',
      [...Buffer.from('PAR1xxxx')],
      'give it a name that ends in .parquet',
    ],
    ['gzip that is cut', [...gzipSync(twoRows).subarray(0, 20)], 'it cannot be read as gzip'],
  ])('names %s, which is not read', async (_, bytes, message) => {
    await expect(load({ train_file: file('other.jsonl', new Uint8Array(bytes)) })).rejects.toThrow(message);
  });

  it('names the columns that are there when the question or the answer is missing, and the setting that maps them', async () => {
    const line = '{"problem":"A?","solution":"c4n4ry 7","id":1}\n';
    const train_file = file('columns.jsonl', line + line.replace('A?', 'B?'));
    const error = await load({ train_file }).catch(String);
    expect(error).toContain(
      'The columns there are "problem", "solution", "id". If the question and the answer are in others, name them: task.columns: {question: NAME, answer: NAME}.',
    );
    expect(error).not.toContain('c4n4ry');
    const columns = { question: 'problem', answer: 'id' };
    const test_file = file('other-columns.jsonl', line.replace('A?', 'C?'));
    const { train } = await load({ train_file, test_file, columns });
    expect(train.map(({ text }) => text)).toEqual(['A?', 'B?']);
  });

  it('leaves questions with empty gold answers out with skip_unreadable, and counts them', async () => {
    const empty = ['""', '" "', 'null'].map((answer, n) => `{"question":"E${n}?","answer":${answer}}`);
    const train_file = file('empty-golds.jsonl', [...empty, '{"question":"A?","answer":"1"}'].join('\n'));
    const test_file = rows('test.jsonl', 10, 12);
    await expect(load({ train_file, test_file })).rejects.toThrow('line 3: answer: is empty');
    const { train, leftOut } = await load({ train_file, test_file, skip_unreadable: true });
    expect(train.map(({ text }) => text)).toEqual(['A?']);
    expect(leftOut).toMatchObject([{ count: 3 }]);
  });

  it('refuses a file of a gigabyte without a line end before it fills the memory', async () => {
    const path = file('sparse.jsonl', '{"question":"');
    truncateSync(path, 1_000_000_000);
    await expect(load({ train_file: path })).rejects.toThrow('one of its lines is longer than 16 MB');
  });
});
