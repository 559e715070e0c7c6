/** @jsxRuntime automatic @jsxImportSource preact */
import type { VNode } from 'preact';
import type { NightEntry } from '../store/series.ts';
import { count } from './format.ts';
import { Page } from './page.tsx';
import type { PageParts } from './page-parts.ts';
import { ChartCard, Gain, Tiles, WithError } from './sections/accuracy-section.tsx';

const outcomes = { accepted: 'carried on', fell: 'fell', overtaken: 'overtaken' } as const;
const tones = { accepted: 'right', fell: 'wrong', overtaken: 'tied' } as const;

/** The page of a series: its curve over all nights, and what became of each. */
export function seriesPage(
  series: string,
  nights: readonly NightEntry[],
  { css, wideChart, narrowChart }: PageParts,
): VNode {
  const accepted = nights.filter(({ outcome }) => outcome === 'accepted');
  const base = nights[0]?.evaluations[0];
  const last = accepted.at(-1)?.evaluations.at(-1);
  return (
    <Page title={series} css={css}>
      <p class="lead">
        {`A series of ${nightsSaid(nights.length)}, ${accepted.length} carried on · ${count(asked(nights))} training questions · ${count(base?.questions ?? 0)} held-out questions, the same every night`}
      </p>
      {base !== undefined && last !== undefined && <Tiles evaluations={[base, last]} />}
      <h2>Accuracy over the nights</h2>
      <p class="note">
        Share of held-out questions answered correctly at the end of each night; bars are one standard error.
        The lines go through the nights that were carried on; hollow marks are nights that were not. The
        chart’s axis need not begin at zero.
      </p>
      <ChartCard
        wide={wideChart}
        narrow={narrowChart}
        label="Accuracy over the nights; the table below has the figures"
      />
      <div class="card scroll">
        <table>
          <thead>
            <tr>
              <th>Night</th>
              <th>Single answer</th>
              <th>Majority vote</th>
              <th>Debate</th>
              <th>
                Debate since
                <br />
                its start, points
              </th>
              <th>Questions</th>
              <th>Outcome</th>
            </tr>
          </thead>
          <tbody>{nights.map(nightRow)}</tbody>
        </table>
      </div>
      <h2>What became of each night</h2>
      <ul class="limits">
        {nights.map(({ said }) => (
          <li>{said.replaceAll(' %', '\u00a0%')}</li>
        ))}
      </ul>
      <footer>
        A night begins with the agents of the last one that was carried on, and asks training questions that
        no night before has asked, until all were. Every figure is in <code>night-NNNNN/night.json</code>,
        beside this file.
      </footer>
    </Page>
  );
}

function nightRow({ sequence, experiment, evaluations, outcome, asked }: NightEntry) {
  const begin = evaluations[0];
  const end = evaluations.at(-1);
  if (begin === undefined || end === undefined) return null;
  return (
    <tr>
      <th>
        {sequence} <a href={`../../${encodeURIComponent(experiment)}/report.html`}>{experiment}</a>
      </th>
      <td>
        <WithError value={end.single} />
      </td>
      <td>
        <WithError value={end.majority} />
      </td>
      <td>
        <WithError value={end.debate} />
      </td>
      <td>
        <Gain difference={end.debate.accuracy - begin.debate.accuracy} />
      </td>
      <td>{count(asked.reduce((sum, { keys }) => sum + keys.length, 0))}</td>
      <td>
        <span class={`chip ${tones[outcome]}`}>{outcomes[outcome]}</span>
      </td>
    </tr>
  );
}

function asked(nights: readonly NightEntry[]): number {
  return nights.at(-1)?.position ?? 0;
}

function nightsSaid(nights: number): string {
  return nights === 1 ? '1 night' : `${nights} nights`;
}
