/** @jsxRuntime automatic @jsxImportSource preact */
/** The page of an experiment, and the page of a series of them, night after night. */
import type { VNode } from 'preact';
import { chosenIteration, standingEvaluations } from '../../algorithm/guard.ts';
import type { ExperimentResult, NightOutcome } from '../../store/records/result.ts';
import type { NightEntry } from '../../store/series.ts';
import { count, counted, duration } from '../../text/figures.ts';
import type { ChartPoint } from '../charts/curves.ts';
import type { Drawn } from '../charts/style.ts';
import { experimentFindings } from '../findings/what-it-shows.ts';
import { accuracyCells, Gain, Grid, Tiles, WaysLegend } from '../parts/figures.tsx';
import {
  ChartsSection,
  citation,
  FindingsSection,
  Heading,
  Page,
  Sentences,
  unbroken,
} from '../parts/page.tsx';
import type { ReportData } from '../read/experiment.ts';
import { AccuracySection, AgentsSection, DistilledSection, GuardSection } from './accuracy-sections.tsx';
import { ConfigSection, CostSection, DebatesSection } from './run-sections.tsx';
import {
  DatasetsSection,
  FineTunesSection,
  LabelsSection,
  LeftOutSection,
  type LossCharts,
} from './training-sections.tsx';

export type ExperimentCharts = { readonly chart: Drawn; readonly losses: readonly LossCharts[] };

/** An experiment's whole page. */
export function experimentPage(data: ReportData, { css, ...charts }: ExperimentCharts & { css: string }) {
  return (
    <Page title={data.result.name} css={css}>
      <ExperimentSections data={data} {...charts} />
    </Page>
  );
}

/** All that the page of a finished experiment has below its title. */
export function ExperimentSections({ data, chart, losses }: ExperimentCharts & { data: ReportData }) {
  const { result } = data;
  const last = result.evaluations.at(-1);
  const iterations = last?.iteration ?? 0;
  const chosen = chosenIteration(result);
  const aside = result.guard?.rolledBack ?? [];
  const trained = iterations === 0 ? 'base model only' : counted(iterations, 'iteration');
  return (
    <>
      <p class="lead">
        {`Multiagent finetuning · ${trained} · ${count(last?.questions ?? 0)} held-out questions · ${duration(result.seconds.total)}`}
      </p>
      {result.night !== undefined && <p class="card">{unbroken(nightText(result.night))}</p>}
      {result.guard !== undefined && <p class="card">{unbroken(result.guard.said)}</p>}
      {result.answer !== undefined && <p class="card">{unbroken(result.answer.said)}</p>}
      <Tiles evaluations={standingEvaluations(result)} />
      {result.warnings.length > 0 && <WarningsSection warnings={result.warnings} />}
      <AccuracySection evaluations={result.evaluations} aside={aside} chart={chart} />
      {result.validation !== undefined && (
        <GuardSection validation={result.validation} guard={result.guard} />
      )}
      <AgentsSection
        byAgent={new Map([...data.byAgent].filter(([iteration]) => !aside.includes(iteration)))}
        models={data.models}
      />
      {result.distilled !== undefined && (
        <DistilledSection distilled={result.distilled} evaluations={result.evaluations} />
      )}
      <FindingsSection {...experimentFindings(data)} />
      {result.iterations.length > 0 && <DatasetsSection iterations={result.iterations} />}
      {data.labels.length > 0 && <LabelsSection labels={data.labels} />}
      {result.iterations.length > 0 && <FineTunesSection iterations={result.iterations} losses={losses} />}
      {data.leftOut.length > 0 && <LeftOutSection leftOut={data.leftOut} />}
      <CostSection {...result} />
      <DebatesSection debates={data.debates} iteration={chosen} config={data.config} />
      <ConfigSection config={data.config} versions={result.versions} changes={result.changes} />
      <footer>
        Every figure can be computed again from <code>{result.files.evaluation}</code>, which is beside this
        file, and is in <code>result.json</code>. {citation}
      </footer>
    </>
  );
}

/** What makes the result worth less than it looks, before anything is claimed. */
export function WarningsSection({ warnings }: Pick<ExperimentResult, 'warnings'>) {
  return (
    <section>
      <Heading title="Warnings" />
      <ul>
        {warnings.map(({ says, remedy }) => (
          <li>
            {unbroken(says)} {unbroken(remedy)}
          </li>
        ))}
      </ul>
    </section>
  );
}

function nightText({ said, from }: NightOutcome): string {
  return from === null ? said : `${said} “Base” on this page means the agents that ${from} left.`;
}

const outcomes = { accepted: 'carried on', fell: 'fell', overtaken: 'overtaken' } as const;
const tones = { accepted: 'right', fell: 'wrong', overtaken: 'tied' } as const;

/** The points of a series' chart: the base model as the first night found it, then the end of each night. */
export function seriesPoints(nights: readonly NightEntry[]): ChartPoint[] {
  const base = nights[0]?.evaluations[0];
  return [
    ...(base === undefined ? [] : [{ ...base, label: 'base', onLine: true }]),
    ...nights.flatMap(({ sequence, evaluations, outcome }) => {
      const end = evaluations.at(-1);
      return end === undefined ? [] : [{ ...end, label: String(sequence), onLine: outcome === 'accepted' }];
    }),
  ];
}

/** The page of a series. */
export function seriesPage(
  series: string,
  nights: readonly NightEntry[],
  { css, chart }: { css: string; chart: Drawn },
): VNode {
  return (
    <Page title={series} css={css}>
      <SeriesSections nights={nights} chart={chart} />
    </Page>
  );
}

/** All that it has below its title: the accuracy of a series over all nights, and the outcome of each. */
export function SeriesSections({ nights, chart }: { nights: readonly NightEntry[]; chart: Drawn }) {
  const accepted = nights.filter(({ outcome }) => outcome === 'accepted');
  const base = nights[0]?.evaluations[0];
  const last = accepted.at(-1)?.evaluations.at(-1);
  const asked = nights.at(-1)?.position ?? 0;
  return (
    <>
      <p class="lead">
        {`A series of ${counted(nights.length, 'night')}, ${accepted.length} carried on · ${count(asked)} training questions · ${count(base?.questions ?? 0)} held-out questions, the same every night`}
      </p>
      {base !== undefined && last !== undefined && <Tiles evaluations={[base, last]} />}
      <ChartsSection
        title="Accuracy over the nights"
        note="Share of held-out questions answered correctly at the end of each night; bars are one standard error. The lines go through the nights that were carried on; hollow marks are nights that were not. The chart’s axis need not begin at zero."
        charts={[{ heading: null, drawn: [chart] }]}
        legend={<WaysLegend />}
      >
        <Grid
          head={[
            'Night',
            'Single answer',
            'Majority vote',
            'Debate',
            <>
              Debate since
              <br />
              its start, points
            </>,
            'Questions',
            'Outcome',
          ]}
          rows={nights.flatMap(nightRow)}
        />
      </ChartsSection>
      <Heading title="The outcome of each night" />
      <Sentences sentences={nights.map(({ said }) => said)} />
      <footer>
        A night begins with the agents of the last night that was carried on. It asks training questions that
        no earlier night has asked, until all have been asked. Every figure is in{' '}
        <code>night-NNNNN/night.json</code>, beside this file.
      </footer>
    </>
  );
}

function nightRow({ sequence, experiment, evaluations, outcome, asked }: NightEntry) {
  const begin = evaluations[0];
  const end = evaluations.at(-1);
  if (begin === undefined || end === undefined) return [];
  return [
    [
      <>
        {sequence} <a href={`../../${encodeURIComponent(experiment)}/report.html`}>{experiment}</a>
      </>,
      ...accuracyCells(end),
      <Gain difference={end.debate.accuracy - begin.debate.accuracy} />,
      count(asked.reduce((sum, { keys }) => sum + keys.length, 0)),
      <span class={`chip ${tones[outcome]}`}>{outcomes[outcome]}</span>,
    ],
  ];
}
