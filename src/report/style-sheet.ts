import { readFile } from 'node:fs/promises';

/** The style sheet of a page: files below src/report, one after the other. */
export async function styleSheet(...files: string[]): Promise<string> {
  const sheets = await Promise.all(files.map((file) => readFile(new URL(file, import.meta.url), 'utf8')));
  return sheets.join('');
}
