import { productFile } from '../config/installation.ts';

/** The style sheet of a page: files below src/report, one after the other. */
export async function styleSheet(...files: string[]): Promise<string> {
  return files.map((file) => productFile(`src/report/${file}`)).join('');
}
