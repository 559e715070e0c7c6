import { type Place, writeBytes } from '../../store/blobs.ts';
import { csvTable } from './csv-table.ts';
import { latexTable } from './latex-table.ts';
import { markdownTable } from './markdown-table.ts';
import type { Table } from './table.ts';

/**
 * Writes a table as CSV, JSON, Markdown and LaTeX.
 *
 * @param place of the table of a name in a format
 * @returns the files
 * @throws DiskFull, StoreNotWritable
 */
export async function writeTable(
  table: Table,
  place: (name: string, format: string) => Place,
): Promise<Place[]> {
  const texts = {
    csv: csvTable(table),
    json: `${JSON.stringify(table, null, 2)}\n`,
    md: markdownTable(table),
    tex: latexTable(table),
  };
  const files = Object.entries(texts).map(([format, text]) => ({ place: place(table.name, format), text }));
  for (const each of files) await writeBytes(each.place, each.text);
  return files.map((each) => each.place);
}
