/** @jsxRuntime automatic @jsxImportSource preact */
import type { VNode } from 'preact';
import { findings } from './findings.ts';
import { count, duration } from './format.ts';
import type { NightOutcome } from '../store/records/result.ts';
import { Page } from './page.tsx';
import type { PageParts } from './page-parts.ts';
import type { ReportData } from './report-data.ts';
import { AccuracySection, Tiles } from './sections/accuracy-section.tsx';
import { ConfigSection } from './sections/config-section.tsx';
import { CostSection } from './sections/cost-section.tsx';
import { DatasetsSection } from './sections/datasets-section.tsx';
import { LeftOutSection } from './sections/left-out-section.tsx';
import { DebatesSection } from './sections/debates-section.tsx';

/**
 * The whole page. Everything that a model or a user wrote is a child or an attribute of an element, which Preact escapes; only the
 * style sheet and the charts (made of numbers and fixed words) go in as they are.
 */
export function reportPage(data: ReportData, { css, wideChart, narrowChart }: PageParts): VNode {
  const { result } = data;
  const { shows, doesNotShow } = findings(data);
  const last = result.evaluations.at(-1);
  return (
    <Page title={result.name} css={css}>
      <p class="lead">
        {`Multiagent finetuning · ${iterationsSaid(last?.iteration ?? 0)} · ${count(last?.questions ?? 0)} held-out questions · ${duration(result.seconds.total)}`}
      </p>
      {result.night !== undefined && <p class="card">{unbroken(nightSaid(result.night))}</p>}
      <Tiles evaluations={result.evaluations} />

      <h2>What it shows</h2>
      {shows.map((sentence) => (
        <p>{unbroken(sentence)}</p>
      ))}
      <h3>What it does not show</h3>
      <ul class="limits">
        {doesNotShow.map((sentence) => (
          <li>{unbroken(sentence)}</li>
        ))}
      </ul>

      <AccuracySection evaluations={result.evaluations} wideChart={wideChart} narrowChart={narrowChart} />
      <DatasetsSection iterations={result.iterations} />
      <LeftOutSection leftOut={data.leftOut} />
      <CostSection tokens={result.tokens} seconds={result.seconds} />
      <DebatesSection debates={data.debates} iteration={last?.iteration ?? 0} />
      <ConfigSection config={data.config} versions={result.versions} />
      <footer>
        Every figure can be computed again from <code>{result.files.evaluation}</code>, which lies beside this
        file, and is in <code>result.json</code>. Method: Subramaniam et al., “Multiagent Finetuning: Self
        Improvement with Diverse Reasoning Chains”, ICLR 2025.
      </footer>
    </Page>
  );
}

function nightSaid({ said, from }: NightOutcome): string {
  return from === null ? said : `${said} “Base” on this page means the agents that ${from} left.`;
}

function iterationsSaid(iterations: number): string {
  if (iterations === 0) return 'base model only';
  return iterations === 1 ? '1 iteration' : `${iterations} iterations`;
}

/** A number and its per cent sign stay on one line. */
function unbroken(sentence: string): string {
  return sentence
    .replaceAll(' %', '\u00a0%')
    .replaceAll('p < ', 'p\u00a0<\u00a0')
    .replaceAll('p = ', 'p\u00a0=\u00a0');
}
