/** @jsxRuntime automatic @jsxImportSource preact */
import type { ComponentChildren } from 'preact';
import type { Drawn } from '../charts/style.ts';
import type { AllFindings, Finding } from '../findings/finding.ts';
import { Heading } from './page.tsx';

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
              <div class="wide" dangerouslySetInnerHTML={{ __html: wide }} />
              <div class="narrow" dangerouslySetInnerHTML={{ __html: narrow }} />
            </div>
          ))}
        </>
      ))}
      {children}
    </section>
  );
}
