/** @jsxRuntime automatic @jsxImportSource preact */
import { stringify } from 'yaml';
import type { Evaluation } from '../../algorithm/evaluation.ts';
import { addEarlyStop, noEarlyStop } from '../../algorithm/measures/cost.ts';
import { chosenIteration, standingEvaluations } from '../../algorithm/guard.ts';
import type { ExperimentResult, NightOutcome } from '../../store/records/result.ts';
import { count, counted, duration, evaluationName, pValue } from '../../text/figures.ts';
import type { Drawn } from '../charts/style.ts';
import { experimentFindings } from '../findings/what-it-shows.ts';
import {
  accuracyCells,
  AgentsSection,
  Gain,
  GuardSection,
  Tiles,
  ways,
  WaysLegend,
} from '../parts/accuracy.tsx';
import { ChartsSection, citation, FindingsSection, Heading, Page, unbroken } from '../parts/page.tsx';
import type { ReportData } from '../read/experiment.ts';
import { Grid } from '../tables/html-table.tsx';
import { DebatesSection } from './debates-section.tsx';
import { DistilledSection } from './distilled-section.tsx';
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

type AccuracyProps = {
  evaluations: readonly Evaluation[];
  /** The iterations that a guard has rolled back. */
  aside: readonly number[];
  chart: Drawn;
};

/** Accuracy over the iterations, as a chart and as figures, with the paired tests. */
export function AccuracySection({ evaluations, aside, chart }: AccuracyProps) {
  return (
    <ChartsSection
      title="Accuracy"
      label="Accuracy over the iterations"
      note="Share of held-out questions answered correctly; bars, and the figures in small print, are 95 % intervals of the choice of questions (Wilson’s). Single answer: the mean over the agents’ first answers. Majority: the vote over them. Debate: the vote after the last round. The chart’s axis need not begin at zero."
      charts={[{ heading: null, drawn: [chart] }]}
      legend={<WaysLegend />}
    >
      <Grid
        head={[
          'Evaluation',
          ...ways.map(({ name }) => name),
          <>
            Debate against
            <br />
            the base’s, points
          </>,
          <>
            Questions
            <br />
            won : lost
          </>,
          <>
            p (McNemar,
            <br />
            exact)
          </>,
        ]}
        rows={evaluations.map((evaluation) => [
          `${evaluationName(evaluation.iteration)}${aside.includes(evaluation.iteration) ? ' (rolled back)' : ''}`,
          ...accuracyCells(evaluation),
          ...againstBase(evaluation, evaluations[0]),
        ])}
      />
    </ChartsSection>
  );
}

function againstBase({ iteration, debate, debateVersusBase }: Evaluation, base: Evaluation | undefined) {
  if (iteration === 0 || base === undefined) return ['–', '–', '–'];
  const { wins, losses, pValue: p } = debateVersusBase;
  return [<Gain difference={debate.accuracy - base.debate.accuracy} />, `${wins} : ${losses}`, pValue(p)];
}

/** How the time and the tokens were spent. */
function CostSection({
  tokens,
  seconds,
  distilled,
  earlyStops,
}: Pick<ExperimentResult, 'tokens' | 'seconds' | 'distilled' | 'earlyStops'>) {
  const phases = [
    { name: 'Debates', value: seconds.debate },
    { name: 'Datasets', value: seconds.datasets },
    { name: 'Fine-tunes', value: seconds.fineTune },
    { name: 'Evaluation', value: seconds.evaluation },
    ...(distilled === undefined ? [] : [{ name: 'One model', value: secondsOf(distilled) }]),
  ];
  const used = [
    { name: 'Debates, read', value: tokens.debate.prompt },
    { name: 'Debates, written', value: tokens.debate.completion },
    { name: 'Evaluation, read', value: tokens.evaluation.prompt },
    { name: 'Evaluation, written', value: tokens.evaluation.completion },
    { name: 'Fine-tunes', value: tokens.fineTune },
    ...(distilled === undefined ? [] : [{ name: 'One model', value: tokensOf(distilled) }]),
  ];
  return (
    <section>
      <Heading title="What it took" />
      <div class="columns">
        <div class="card">
          <h3>Time, {duration(phases.reduce((sum, { value }) => sum + value, 0))} in all</h3>
          <Bars rows={phases} text={duration} />
        </div>
        <div class="card">
          <h3>Tokens, {count(used.reduce((sum, { value }) => sum + value, 0))} in all</h3>
          <Bars rows={used} text={count} />
        </div>
      </div>
      {earlyStops !== undefined && earlyStops.length > 0 && (
        <p class="note">{unbroken(earlyStopsText(earlyStops))}</p>
      )}
    </section>
  );
}

function secondsOf({ seconds, evaluation }: NonNullable<ExperimentResult['distilled']>): number {
  return seconds.dataset + seconds.fineTune + (evaluation?.seconds ?? 0);
}

function tokensOf({ tokens, evaluation }: NonNullable<ExperimentResult['distilled']>): number {
  return tokens + (evaluation === null ? 0 : evaluation.tokens.prompt + evaluation.tokens.completion);
}

/** What `stop_when_unanimous` has saved. */
function earlyStopsText(stops: NonNullable<ExperimentResult['earlyStops']>): string {
  const { debates, stopped } = stops.map(({ counts }) => counts).reduce(addEarlyStop, noEarlyStop);
  const known = stops.flatMap(({ tokensSaved }) => tokensSaved ?? []);
  const saved = known.reduce((sum, each) => sum + each, 0);
  const unknown = known.length < stops.length ? ' (not known where no debate went on)' : '';
  return `${count(stopped)} of ${count(debates)} debates ended after round 1, because all answers were equal. That saved about ${count(saved)} tokens${unknown}: an estimate, by what the further rounds cost the debates that went on.`;
}

type BarsProps = { rows: readonly { name: string; value: number }[]; text: (value: number) => string };

function Bars({ rows, text }: BarsProps) {
  const most = Math.max(...rows.map(({ value }) => value), Number.MIN_VALUE);
  return (
    <table>
      <tbody>
        {rows.map(({ name, value }) => (
          <tr>
            <th>{name}</th>
            <td>{text(value)}</td>
            <td class="bar">
              <i style={{ width: `${((value / most) * 100).toFixed(1)}%` }} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The resolved config and the versions that it ran with: enough to repeat the experiment. */
function ConfigSection({
  config,
  versions,
  changes = [],
}: Pick<ReportData, 'config'> & Pick<ExperimentResult, 'versions' | 'changes'>) {
  return (
    <section>
      <Heading title="Settings and versions" />
      {changes.length > 0 && (
        <Grid
          caption="Settings that were changed while it ran; the resolved config is that of the beginning"
          head={['Setting', 'Before', 'After', 'From iteration']}
          rows={changes.map(({ path, before, after, fromIteration }) => [
            <code>{path}</code>,
            settingText(before),
            settingText(after),
            fromIteration,
          ])}
        />
      )}
      <div class="columns">
        <div class="card">
          <h3>Resolved config</h3>
          <pre>{config === null ? 'config.json is missing.' : stringify(config)}</pre>
        </div>
        <div class="card">
          <h3>Versions</h3>
          <table>
            <tbody>
              {Object.entries(versions).map(([name, version]) => (
                <tr>
                  <th>{name}</th>
                  <td>{version}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </section>
  );
}

/** A setting's value, as in a config file. */
function settingText(value: unknown): string {
  return value === undefined ? 'not set' : stringify(value).trim();
}
