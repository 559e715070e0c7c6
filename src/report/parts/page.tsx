/** @jsxRuntime automatic @jsxImportSource preact */
import { type ComponentChildren, createContext, type VNode } from 'preact';
import { useContext } from 'preact/hooks';
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
          <Contents />
          {children}
        </main>
      </body>
    </html>
  );
}

type SectionTitle = { readonly title: string; readonly id: string };

/** `all` is what the list of contents shows; `met` gathers the headings while the page is rendered. */
type Titles = { readonly all: readonly SectionTitle[]; readonly met: SectionTitle[] };
const Titles = createContext<Titles>({ all: [], met: [] });

/** The heading of a section. The list of contents at the top of the page links to it. */
export function Heading({ title }: { title: string }) {
  const id = title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  useContext(Titles).met.push({ title, id });
  return <h2 id={id}>{title}</h2>;
}

/** Links to the page's sections, where there are enough of them to look for one. */
function Contents() {
  const { all } = useContext(Titles);
  if (all.length < 3) return null;
  return (
    <nav class="contents" aria-label="Contents">
      {all.map(({ title, id }) => (
        <a href={`#${id}`}>{title}</a>
      ))}
    </nav>
  );
}

/** Renders twice: the headings that the first rendering meets are the list of contents of the second. */
function rendered(page: VNode): string {
  const within = (titles: Titles) => renderToString(<Titles.Provider value={titles}>{page}</Titles.Provider>);
  const first: Titles = { all: [], met: [] };
  within(first);
  return within({ all: first.met, met: [] });
}

/**
 * Writes a page, replacing what is there.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function writePage(place: Place, page: VNode): Promise<void> {
  await writeBytes(place, `<!doctype html>\n${rendered(page)}`);
}

/** The style sheet of a page: files of this package below src/report, one after the other. */
export function styleSheet(...files: string[]): string {
  return files.map((file) => productFile(`src/report/${file}`)).join('');
}

/** The paper, for a page's footer. */
export const citation =
  'Method: Subramaniam et al., “Multiagent Finetuning: Self Improvement with Diverse Reasoning Chains”, ICLR 2025.';
