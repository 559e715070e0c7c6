import { join } from 'node:path';
import { writeAtomically } from '../../store/files/atomic.ts';
import { csvTable } from './csv-table.ts';
import { latexTable } from './latex-table.ts';
import { markdownTable } from './markdown-table.ts';
import type { Table } from './table.ts';

/**
 * Writes a table to a folder as NAME.csv, NAME.json, NAME.md and NAME.tex, anew.
 *
 * @returns the names of the files
 * @throws DiskFull, StoreNotWritable
 */
export async function writeTable(folder: string, table: Table): Promise<string[]> {
  const texts = {
    csv: csvTable(table),
    json: `${JSON.stringify(table, null, 2)}\n`,
    md: markdownTable(table),
    tex: latexTable(table),
  };
  const files = Object.entries(texts).map(([ending, text]) => ({ name: `${table.name}.${ending}`, text }));
  for (const { name, text } of files) await writeAtomically(join(folder, name), [Buffer.from(text)]);
  return files.map(({ name }) => name);
}
