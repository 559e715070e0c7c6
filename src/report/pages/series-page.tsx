/** @jsxRuntime automatic @jsxImportSource preact */
import type { VNode } from 'preact';
import type { NightEntry } from '../../store/series.ts';
import { count, counted } from '../../text/figures.ts';
import type { ChartPoint } from '../charts/curves.ts';
import type { Drawn } from '../charts/style.ts';
import { accuracyCells, Gain, Tiles, WaysLegend } from '../parts/accuracy.tsx';
import { ChartsSection, Heading, Page, Sentences } from '../parts/page.tsx';
import { Grid } from '../tables/html-table.tsx';

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
