/** @jsxRuntime automatic @jsxImportSource preact */
import { type ComponentChildren, createContext, type VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { useContext } from 'preact/hooks';
import { productFile } from '../../config/installation.ts';
import { type Place, writeBytes } from '../../store/blobs.ts';
import type { Drawn } from '../charts/style.ts';
import type { AllFindings, Finding } from '../findings/finding.ts';
import { terminalSafe } from '../../text/safe-text.ts';

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

type ServedPageProps = {
  title: string;
  /** The store that the pages show, for people. */
  store: string;
  /** The address of the page among those of the navigation that it belongs to. */
  under: string;
  /** After how many seconds the browser asks for the page again; without it, the page does not change. */
  refresh?: number | undefined;
  /** Whether there is a list of contents. */
  contents?: boolean;
  children: ComponentChildren;
};

const navigation = [
  { address: '/', name: 'Experiments' },
  { address: '/compare', name: 'Compare' },
];

/** The document of a page that `colloquy ui` serves: its style sheet and its one script are files of the server's own. */
export function ServedPage({ title, store, under, refresh, contents, children }: ServedPageProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{`${title} · Colloquy`}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/style.css" />
        <script type="module" src="/refresh.mjs" />
      </head>
      <body data-refresh={refresh}>
        <a class="skip" href="#content">
          Skip to the content
        </a>
        <header class="site">
          <a class="brand" href="/">
            Colloquy
          </a>
          <nav aria-label="Pages">
            {navigation.map(({ address, name }) => (
              <a href={address} aria-current={address === under ? 'page' : undefined}>
                {name}
              </a>
            ))}
          </nav>
          <p class="note">
            Store <code>{store}</code>
          </p>
        </header>
        <main id="content" tabindex={-1}>
          <h1>{title}</h1>
          {contents === true && <Contents />}
          {children}
        </main>
        <p id="connection" role="status" />
      </body>
    </html>
  );
}

/** Why a served page shows only what the store has. */
export function Silent({ why }: { why: string }) {
  return (
    <div class="card silent">
      <p>
        <strong>Temporal does not answer.</strong> What runs now is not known: this is what the store has.
      </p>
      <p class="note">{terminalSafe(why)}</p>
    </div>
  );
}

/** What a served page cannot show, and why. */
export function Problem({ text }: { text: string | null }) {
  return text === null ? null : <div class="problem">{terminalSafe(text)}</div>;
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
export function rendered(page: VNode): string {
  const within = (titles: Titles) => renderToString(<Titles.Provider value={titles}>{page}</Titles.Provider>);
  const first: Titles = { all: [], met: [] };
  within(first);
  return `<!doctype html>\n${within({ all: first.met, met: [] })}`;
}

/**
 * Writes a page, replacing what is there.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function writePage(place: Place, page: VNode): Promise<void> {
  await writeBytes(place, rendered(page));
}

/** The style sheet of a page: files of this package below src/report, one after the other. */
export function styleSheet(...files: string[]): string {
  return files.map((file) => productFile(`src/report/${file}`)).join('');
}

/** The paper, for a page's footer. */
export const citation =
  'Method: Subramaniam et al., “Multiagent Finetuning: Self Improvement with Diverse Reasoning Chains”, ICLR 2025.';

/** What a report shows in sentences, by setting where there are several, and what it does not show. */
export function FindingsSection({ findings, limits }: AllFindings) {
  return (
    <section>
      <Heading title="What it shows" />
      {findings.length === 0 && <p>No experiment is finished, so nothing can be said yet.</p>}
      {findings.map(({ about, shows, beside }) => (
        <>
          {about !== null && <h3>{about}</h3>}
          {shows.map((each) => (
            <FindingText finding={each} />
          ))}
          {beside.length > 0 && <h3>Other measures{about === null ? '' : `, ${about}`}</h3>}
          {beside.map((each) => (
            <FindingText finding={each} />
          ))}
        </>
      ))}
      <h3>What it does not show</h3>
      <Sentences sentences={limits} />
    </section>
  );
}

function FindingText({ finding: { sentence, each } }: { finding: Finding }) {
  return (
    <div class="finding">
      <p>{unbroken(sentence)}</p>
      {each.length > 0 && <Sentences sentences={each} />}
    </div>
  );
}

/** Sentences as a list. */
export function Sentences({ sentences }: { sentences: readonly string[] }) {
  return (
    <ul class="limits">
      {sentences.map((sentence) => (
        <li>{unbroken(sentence)}</li>
      ))}
    </ul>
  );
}

/** Keeps a number and its sign on one line. */
export function unbroken(sentence: string): string {
  return sentence.replaceAll(' %', '\u00a0%').replaceAll(/ ([<=]) /g, '\u00a0$1\u00a0');
}

type ChartsSectionProps = {
  title: string;
  note?: string;
  /** Under a heading each: the setting, where there are several. */
  charts: readonly { readonly heading: string | null; readonly drawn: readonly Drawn[] }[];
  /** What a chart shows, for readers who cannot see it (default: the title). */
  label?: string;
  /** What the marks of the charts mean, where the charts do not say it themselves. */
  legend?: ComponentChildren;
  /** The tables with the charts' figures. */
  children?: ComponentChildren;
};

/** A measure: its charts and then its tables. */
export function ChartsSection({ title, note, charts, label = title, legend, children }: ChartsSectionProps) {
  return (
    <section>
      <Heading title={title} />
      {note !== undefined && <p class="note">{note}</p>}
      {charts.map(({ heading, drawn }) => (
        <>
          {heading !== null && <h3>{heading}</h3>}
          {drawn.map(({ wide, narrow }) => (
            <div
              class="card chart"
              role="img"
              aria-label={`${label}${heading === null ? '' : `, ${heading}`}; the table below has the figures`}
            >
              {legend}
              <div class="wide" aria-hidden="true" dangerouslySetInnerHTML={{ __html: wide }} />
              <div class="narrow" aria-hidden="true" dangerouslySetInnerHTML={{ __html: narrow }} />
            </div>
          ))}
        </>
      ))}
      {children}
    </section>
  );
}
