/** @jsxRuntime automatic @jsxImportSource preact */
import type { VNode } from 'preact';
import { count } from '../format.ts';
import { Page } from '../page.tsx';
import type { StudyAnalysis } from './analyse-study.ts';
import type { DrawnCharts } from './drawn-charts.ts';
import { studyFindings } from './findings/study-findings.ts';
import { AccuracySection } from './sections/accuracy-section.tsx';
import { ExperimentsSection } from './sections/experiments-section.tsx';
import { FindingsSection } from './sections/findings-section.tsx';
import { MeasuresSection } from './sections/measures-section.tsx';
import { MissingSection } from './sections/missing-section.tsx';
import { SettingsSection } from './sections/settings-section.tsx';
import { settingsOf } from './settings-of.ts';
import type { StudyTables } from './tables/study-tables.ts';

/** Addresses of an experiment's own pages, relative to the study's, by its name; null for one that is not there. */
export type Pages = ReadonlyMap<string, { readonly report: string | null; readonly debates: string | null }>;

/** A study's whole page. All text is escaped by Preact, but for the style sheet and the charts. */
export function studyPage(
  analysis: StudyAnalysis,
  tables: StudyTables,
  { css, charts, pages }: { css: string; charts: DrawnCharts; pages: Pages },
): VNode {
  const { name, columns, missing } = analysis;
  return (
    <Page title={name} css={css}>
      <p class="lead">{leadSaid(analysis)}</p>
      <FindingsSection findings={studyFindings(analysis)} />
      <MissingSection missing={missing} />
      {columns.length > 0 && <AccuracySection charts={charts} tables={tables} />}
      {columns.length > 0 && <MeasuresSection charts={charts} tables={tables} />}
      <ExperimentsSection columns={columns} pages={pages} />
      <SettingsSection settings={columns.flatMap((column) => settingsOf(column, analysis.reference) ?? [])} />
      <footer>
        Every table lies beside this file as CSV, JSON, Markdown and LaTeX, and every figure is in{' '}
        <code>results.json</code>. Method: Subramaniam et al., “Multiagent Finetuning: Self Improvement with
        Diverse Reasoning Chains”, ICLR 2025.
      </footer>
    </Page>
  );
}

/** How big the study is. */
export function leadSaid({ columns, missing }: StudyAnalysis): string {
  const experiments = columns.flatMap((column) => column.experiments);
  const said = (number: number, one: string, many: string) => `${count(number)} ${number === 1 ? one : many}`;
  const methods = new Set(experiments.map(({ method }) => method)).size;
  const seeds = new Set(experiments.map(({ seed }) => seed)).size;
  const total = experiments.length + missing.length;
  const finished = missing.length === 0 ? '' : `, ${count(experiments.length)} of them finished`;
  return `A study of ${said(total, 'experiment', 'experiments')}${finished} · ${said(columns.length, 'column', 'columns')} · ${said(methods, 'method', 'methods')} · ${said(seeds, 'seed', 'seeds')}`;
}
