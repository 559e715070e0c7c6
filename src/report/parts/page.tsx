/** @jsxRuntime automatic @jsxImportSource preact */
import type { ComponentChildren, VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { productFile } from '../../config/installation.ts';
import { type Place, writeBytes } from '../../store/blobs.ts';

type PageProps = { title: string; css: string; children: ComponentChildren };

/**
 * A report's document: one file that runs nothing and loads nothing. Everything that a model or a user wrote is a child or an attribute of
 * an element, which Preact escapes; only style sheets and charts (made of numbers and of names that a schema allows) go in as they are.
 */
export function Page({ title, css, children }: PageProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>{`${title} · Colloquy`}</title>
        <style dangerouslySetInnerHTML={{ __html: css }} />
      </head>
      <body>
        <main>
          <h1>{title}</h1>
          {children}
        </main>
      </body>
    </html>
  );
}

/**
 * Writes a page, replacing what is there.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function writePage(place: Place, page: VNode): Promise<void> {
  await writeBytes(place, `<!doctype html>\n${renderToString(page)}`);
}

/** The style sheet of a page: files of this package below src/report, one after the other. */
export function styleSheet(...files: string[]): string {
  return files.map((file) => productFile(`src/report/${file}`)).join('');
}

/** The paper, for a page's footer. */
export const citation =
  'Method: Subramaniam et al., “Multiagent Finetuning: Self Improvement with Diverse Reasoning Chains”, ICLR 2025.';
