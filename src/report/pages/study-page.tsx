/** @jsxRuntime automatic @jsxImportSource preact */
import type { VNode } from 'preact';
import { stringify } from 'yaml';
import { methods } from '../../algorithm/methods.ts';
import { rowOf } from '../analyse/contenders.ts';
import { count, counted, duration } from '../../text/figures.ts';
import { type SettingConfig, settingConfig } from '../analyse/paper.ts';
import type { Experiment, Setting, StudyAnalysis } from '../analyse/study.ts';
import { studyFindings } from '../findings/what-it-shows.ts';
import { ChartsSection, citation, FindingsSection, Heading, Page } from '../parts/page.tsx';
import type { MissingExperiment } from '../read/study.ts';
import { Grid, Tables } from '../parts/figures.tsx';
import type { StudyTables } from '../tables/study-tables.ts';
import type { ChartedSection, DrawnCharts } from './study-charts.ts';

/** Addresses of an experiment's own pages, relative to the study's, by its name; null for a page that does not exist. */
export type ExperimentPages = ReadonlyMap<
  string,
  { readonly report: string | null; readonly debates: string | null }
>;

type Parts = {
  readonly css: string;
  readonly tables: StudyTables;
  readonly charts: DrawnCharts;
  readonly pages: ExperimentPages;
};

/** A study's whole page. */
export function studyPage(analysis: StudyAnalysis, { css, tables, charts, pages }: Parts): VNode {
  const { name, settings, missing, reference } = analysis;
  return (
    <Page title={name} css={css}>
      <p class="lead">{studyLead(analysis)}</p>
      <MissingSection missing={missing} />
      {settings.length > 0 && <AccuracySections {...{ tables, charts }} several={settings.length > 1} />}
      <FindingsSection {...studyFindings(analysis)} />
      {settings.length > 0 &&
        others.map((measure) => (
          <MeasureSection {...{ measure, tables, charts }} several={settings.length > 1} />
        ))}
      <ExperimentsSection settings={settings} pages={pages} />
      <ConfigsSection configs={settings.flatMap((setting) => settingConfig(setting, reference) ?? [])} />
      <footer>
        Every table is beside this file as CSV, JSON, Markdown and LaTeX, and every figure is in{' '}
        <code>results.json</code>. {citation}
      </footer>
    </Page>
  );
}

/** The size of the study. */
export function studyLead({ settings, missing }: StudyAnalysis): string {
  const experiments = settings.flatMap((setting) => setting.experiments);
  const methodsRun = new Set(experiments.map(({ method }) => method)).size;
  const variants = new Set(experiments.flatMap(({ variant }) => variant ?? [])).size;
  const seeds = new Set(experiments.map(({ seed }) => seed)).size;
  const total = experiments.length + missing.length;
  const finished = missing.length === 0 ? '' : `, ${count(experiments.length)} of them finished`;
  return `A study of ${counted(total, 'experiment')}${finished} · ${counted(settings.length, 'setting')} · ${counted(methodsRun, 'method')} · ${variants === 0 ? '' : `${counted(variants, 'variant')} · `}${counted(seeds, 'seed')}`;
}

/** The experiments that failed or are not finished, each with the reason. */
function MissingSection({ missing }: { missing: readonly MissingExperiment[] }) {
  if (missing.length === 0) return null;
  return (
    <section>
      <Heading title="What is missing" />
      <p class="note">
        Remove the causes and start the study again: it runs only these experiments and writes this page
        again.
      </p>
      <ul class="runs">
        {missing.map(({ name, reason }) => (
          <li>
            <code>{name}</code>: {reason}
          </li>
        ))}
      </ul>
    </section>
  );
}

type MeasuresProps = { tables: StudyTables; charts: DrawnCharts; several: boolean };

/** A section of the page: the names of its charts and of its tables. */
type Measure = {
  readonly title: string;
  readonly charts?: ChartedSection;
  readonly tables: keyof StudyTables;
  readonly note?: string;
  /** What stands in its place where there is neither a chart nor a table. */
  readonly absent?: string;
};

const accuracy: Measure = {
  title: 'Accuracy over iterations',
  charts: 'accuracy',
  tables: 'iterations',
  note: 'Each method by its own figure: one answer, the majority of first answers, or the consensus of the debate. Bars are 95 % intervals of the choice of questions; the axis need not begin at zero. A method that learns nothing is a level line.',
};

/** What is shown beside the accuracies. */
const others: readonly Measure[] = [
  {
    title: 'Diversity',
    charts: 'diversity',
    tables: 'diversity',
    note: 'How different the agents’ first answers to the same question are. In the paper it falls more slowly for agents with models of their own than for copies of one.',
    absent: 'Diversity was not measured in this study.',
  },
  {
    title: 'Flips and agreement',
    charts: 'flips',
    tables: 'flips',
    note: 'How agents changed their answers in the last round, after the last iteration.',
  },
  {
    title: 'Cost against accuracy',
    charts: 'cost',
    tables: 'cost',
    note: 'All tokens that a method took, and its accuracy at the end. The line is the Pareto front: no other method is more accurate for fewer tokens.',
  },
  { title: 'What was learnt from', tables: 'datasets' },
  { title: 'Transfer', charts: 'transfer', tables: 'transfer' },
];

/** A measure: its charts and its tables; nothing where there are neither. */
function MeasureSection({ measure, tables, charts, several }: MeasuresProps & { measure: Measure }) {
  const { title, note, absent } = measure;
  const drawn = measure.charts === undefined ? [] : charts[measure.charts];
  const own = tables[measure.tables];
  if (drawn.length > 0 || own.length > 0)
    return (
      <ChartsSection
        title={title}
        {...(note === undefined ? {} : { note })}
        charts={drawn.map((each) => ({ heading: several ? each.setting : null, drawn: each.drawn }))}
      >
        <Tables tables={own} />
      </ChartsSection>
    );
  if (absent === undefined) return null;
  return (
    <section>
      <Heading title={title} />
      <p>{absent}</p>
    </section>
  );
}

/** How accurate each method is: the chart, then the paper's tables and the comparisons. */
function AccuracySections(shown: MeasuresProps) {
  const { tables } = shown;
  return (
    <>
      <MeasureSection measure={accuracy} {...shown} />
      <section>
        <Heading title="Tables" />
        <Tables tables={tables.accuracy} />
        <Tables tables={tables.comparisons} />
        {tables.gains.length > 0 && <Heading title="Do gains last?" />}
        <Tables tables={tables.gains} />
        {tables.equalTokens.length > 0 && <Heading title="Is a debate worth its tokens?" />}
        <Tables tables={tables.equalTokens} />
        {tables.distilled.length > 0 && <Heading title="The group as one model" />}
        <Tables tables={tables.distilled} />
      </section>
    </>
  );
}

/** Links to each experiment's own report and debates: a row for each method and variant, a column for each seed. */
function ExperimentsSection({ settings, pages }: { settings: readonly Setting[]; pages: ExperimentPages }) {
  return (
    <section>
      {settings.length > 0 && <Heading title="The experiments" />}
      {settings.map(({ name, experiments }) => {
        const seeds = [...new Set(experiments.map(({ seed }) => seed))];
        const rows = [...new Map(experiments.map((each) => [rowOf(each), each]))];
        return (
          <Grid
            caption={name}
            head={['Method', ...seeds.map((seed) => <>Seed {seed}</>)]}
            rows={rows.map(([row, { method, variant }]) => [
              variant === undefined ? methods[method].title : `${methods[method].title} (${variant})`,
              ...seeds.map((seed) => (
                <ExperimentLinks
                  experiment={experiments.find((each) => rowOf(each) === row && each.seed === seed)}
                  pages={pages}
                />
              )),
            ])}
          />
        );
      })}
    </section>
  );
}

type LinksProps = { experiment: Experiment | undefined; pages: ExperimentPages };

function ExperimentLinks({ experiment, pages }: LinksProps) {
  if (experiment === undefined) return <>–</>;
  const { report, debates } = pages.get(experiment.name) ?? { report: null, debates: null };
  return (
    <>
      {report !== null && (
        <>
          <a href={report}>report</a>{' '}
        </>
      )}
      {debates !== null && (
        <>
          <a href={debates}>debates</a>{' '}
        </>
      )}
      <span class="se">{duration(experiment.result.seconds.total)}</span>
    </>
  );
}

/** The configs and versions that the experiments ran with: enough to repeat them. */
function ConfigsSection({ configs }: { configs: readonly SettingConfig[] }) {
  return (
    <section>
      <Heading title="Settings and versions" />
      {configs.map(({ setting, of, config, byRow, fromPaper, versions }) => (
        <>
          <h3>{setting}</h3>
          {fromPaper !== null && (
            <p>
              It is an experiment of the paper.{' '}
              {fromPaper.length === 0
                ? 'Its settings are the paper’s'
                : `Different from the paper: ${fromPaper.join('; ')}`}
              ; fine-tuning is by LoRA here, and was of all weights there.
            </p>
          )}
          {byRow.length > 0 && (
            <ul class="limits">
              {byRow.map(({ row, differences }) => (
                <li>
                  <code>{row}</code> has other settings than <code>{of}</code>: {differences.join(', ')}
                </li>
              ))}
            </ul>
          )}
          <div class="columns">
            <details class="card">
              <summary>Resolved config of {of}</summary>
              <pre>{stringify(config)}</pre>
            </details>
            <details class="card">
              <summary>Versions</summary>
              <pre>{stringify(versions)}</pre>
            </details>
          </div>
        </>
      ))}
    </section>
  );
}
