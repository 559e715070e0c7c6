import { readFile } from 'node:fs/promises';

/** Set where the worker's code is bundled (worker-code.ts). */
declare const pageFile: string;

/**
 * What a worker process of the tests has in place of esbuild's `build`, with which a worker makes the program of debates.html: the program
 * as the test process has made it. To start esbuild and to make it again takes each worker half a second of CPU time.
 */
export async function build(): Promise<{ readonly outputFiles: readonly { readonly text: string }[] }> {
  return { outputFiles: [{ text: await readFile(pageFile, 'utf8') }] };
}
