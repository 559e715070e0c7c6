/** @jsxRuntime automatic @jsxImportSource preact */
import type { VNode } from 'preact';
import type {
  Comparison,
  DifferingQuestion,
  Figures,
  IterationComparison,
} from '../report/analyse/compare-experiments.ts';
import type { Drawn } from '../report/charts/style.ts';
import { SeriesSections } from '../report/pages/experiment-pages.tsx';
import { Gain, Grid, Tables, ways, WithInterval } from '../report/parts/figures.tsx';
import { Heading, Problem, ServedPage, Silent } from '../report/parts/page.tsx';
import type { Table } from '../report/tables/table.ts';
import { count, counted, evaluationName, listed, pValue } from '../text/figures.ts';
import { terminalSafe } from '../text/safe-text.ts';
import { type Entry, hasFinished, type Series, type Study, type Told } from './contents.ts';
import { addressOf, EntryTable } from './list-page.tsx';

type StudyProps = {
  readonly store: string;
  readonly study: Study;
  readonly entries: readonly Entry[];
  /** The states of its experiments by their names; null when nobody answers for it. */
  readonly told: Told<ReadonlyMap<string, string> | null>;
  /** Of its report, as far as it is written. */
  readonly tables: readonly Table[];
  readonly hasReport: boolean;
};

/** A study: its experiments, then the tables of accuracies of its report. */
export function studyPage({ store, study, entries, told, tables, hasReport }: StudyProps): VNode {
  const states = 'value' in told ? told.value : null;
  const own = study.experiments.map((name): Entry => {
    const entry = entries.find((each) => each.name === name);
    // The study knows of those that have not begun, and why others are not here.
    const state = states?.get(name) ?? entry?.state ?? 'not begun';
    return entry === undefined
      ? { name, experiment: null, run: null, state }
      : { ...entry, state: entry.run === null ? state : entry.state };
  });
  const finished = own.filter(hasFinished).length;
  return (
    <ServedPage title={study.name} store={store} under="" refresh={finished < own.length ? 5 : undefined}>
      <p class="lead">{`A study of ${counted(own.length, 'experiment')} · ${count(finished)} finished`}</p>
      <nav class="links" aria-label="More of this study">
        {hasReport && <a href="report.html">Report in one file, with charts, tests and all tables</a>}
      </nav>
      {'silent' in told && finished < own.length && <Silent why={told.silent} />}
      <Problem text={study.problem} />
      <EntryTable caption="Its experiments" entries={own} />
      {tables.length > 0 && (
        <section>
          <Heading title="Accuracy" />
          <Tables tables={tables} />
        </section>
      )}
    </ServedPage>
  );
}

type SeriesProps = {
  readonly store: string;
  readonly series: Series;
  readonly chart: Drawn;
  readonly hasReport: boolean;
  /** Its nights that have not ended. */
  readonly going: readonly Entry[];
};

/** A series of nights, by the sections of its report. */
export function seriesPage({ store, series, chart, hasReport, going }: SeriesProps): VNode {
  return (
    <ServedPage title={series.name} store={store} under="" refresh={10}>
      <nav class="links" aria-label="More of this series">
        {hasReport && <a href="report.html">Report in one file</a>}
      </nav>
      <Problem text={series.problem} />
      {going.length > 0 && <EntryTable caption="Nights that have not ended" entries={going} />}
      {series.nights.length > 0 && <SeriesSections nights={series.nights} chart={chart} />}
    </ServedPage>
  );
}

/** What was asked for, and what came of it. */
export type CompareProps = {
  readonly store: string;
  /** The names of the finished experiments. */
  readonly names: readonly string[];
  readonly a: string;
  readonly b: string;
  /** Null while two are not chosen; a text says why the two cannot be compared. */
  readonly compared:
    | { readonly comparison: Comparison; readonly differing: readonly DifferingQuestion[] }
    | string
    | null;
};

/** Two experiments side by side: what `colloquy compare A B --questions` prints. */
export function comparePage({ store, names, a, b, compared }: CompareProps): VNode {
  const title = compared !== null && typeof compared !== 'string' ? `${a} and ${b}` : 'Compare';
  return (
    <ServedPage title={title} store={store} under="/compare">
      <p class="lead">Two finished experiments, question by question, on the held-out questions of both.</p>
      {names.length < 2 ? (
        <p class="card empty">This store has fewer than two finished experiments.</p>
      ) : (
        <form class="filter" method="get" action="/compare">
          <Choice name="a" label="First" names={names} chosen={a} />
          <Choice name="b" label="Second" names={names} chosen={b} />
          <button type="submit">Compare</button>
        </form>
      )}
      {typeof compared === 'string' && <p class="card problem">{terminalSafe(compared)}</p>}
      {compared !== null && typeof compared !== 'string' && <Compared {...compared} />}
    </ServedPage>
  );
}

type ChoiceProps = { name: string; label: string; names: readonly string[]; chosen: string };

function Choice({ name, label, names, chosen }: ChoiceProps) {
  return (
    <>
      <label for={name}>{label}</label>
      <select id={name} name={name}>
        {names.map((each) => (
          <option selected={each === chosen}>{each}</option>
        ))}
      </select>
    </>
  );
}

function Compared({ comparison, differing }: Exclude<CompareProps['compared'], string | null>) {
  const { a, b, questions, iterations } = comparison;
  const only = (ids: readonly string[], which: string) =>
    ids.length === 0 ? [] : [`${count(ids.length)} only in ${which}, left out`];
  return (
    <>
      <nav class="links" aria-label="The two experiments">
        <a href={addressOf(a)}>{a}</a>
        <a href={addressOf(b)}>{b}</a>
      </nav>
      <section>
        <Heading title="Accuracy" />
        <p class="note">
          {`${listed([
            `On ${counted(questions.common, 'question')} that both have`,
            ...only(questions.onlyInA, a),
            ...only(questions.onlyInB, b),
          ])}. ${
            questions.otherGold.length === 0
              ? ''
              : `${count(questions.otherGold.length)} of them are judged by gold answers that are not written alike. `
          }Small print: 95 % intervals. Difference: ${b} minus ${a}, in points. p: the exact sign-flip test of the questions, which for votes is McNemar’s, two-sided.`}
        </p>
        <Grid
          caption="Share of held-out questions answered correctly"
          head={['Evaluation', 'By', a, b, 'Difference', `Only ${a}`, `Only ${b}`, 'p']}
          rows={iterations.flatMap((each) => figureRows(each, questions.common))}
        />
      </section>
      <SettingsSection comparison={comparison} />
      <DifferingSection a={a} b={b} differing={differing} />
    </>
  );
}

function figureRows({ iteration, a, b, tests }: IterationComparison, questions: number) {
  const cell = (figures: Figures | null, key: keyof Figures) =>
    figures === null ? '–' : <WithInterval value={figures[key]} questions={questions} />;
  return ways.map(({ key, name }) => [
    evaluationName(iteration),
    name,
    cell(a, key),
    cell(b, key),
    a === null || b === null ? '–' : <Gain difference={b[key].accuracy - a[key].accuracy} />,
    tests === null ? '–' : count(tests[key].wins),
    tests === null ? '–' : count(tests[key].losses),
    tests === null ? '–' : pValue(tests[key].pValue),
  ]);
}

function SettingsSection({ comparison: { a, b, config } }: { comparison: Comparison }) {
  const text = (value: unknown) => (value === undefined ? 'none' : JSON.stringify(value));
  return (
    <section>
      <Heading title="Settings that differ" />
      {config === null && <p>The config.json of one of the two is gone.</p>}
      {config?.length === 0 && <p>None: the configs are equal.</p>}
      {config !== null && config.length > 0 && (
        <Grid
          caption="Settings"
          head={['Setting', a, b]}
          rows={config.map(({ path, before, after }) => [
            <code>{terminalSafe(path)}</code>,
            <span class="wrap">{terminalSafe(text(before))}</span>,
            <span class="wrap">{terminalSafe(text(after))}</span>,
          ])}
        />
      )}
    </section>
  );
}

/** More questions than this make a page that nobody reads. */
const mostShown = 200;

function DifferingSection({
  a,
  b,
  differing,
}: {
  a: string;
  b: string;
  differing: readonly DifferingQuestion[];
}) {
  const sides = [
    { name: a, questions: differing.filter(({ right }) => right === 'a') },
    { name: b, questions: differing.filter(({ right }) => right === 'b') },
  ];
  return (
    <section>
      <Heading title="Questions that only one got right" />
      <p class="note">By debate, after the last iteration that both have.</p>
      {sides.map(({ name, questions }) => (
        <details class="card more">
          <summary>{`Only ${name}: ${counted(questions.length, 'question')}`}</summary>
          <dl class="questions">
            {questions.slice(0, mostShown).map(({ a: ofA, b: ofB }) => (
              <div>
                <dt>{terminalSafe(ofA.question)}</dt>
                <dd>
                  {terminalSafe(
                    `gold ${ofA.gold}; ${a}: ${ofA.debate.answer ?? 'none'}; ${b}: ${ofB.debate.answer ?? 'none'}`,
                  )}
                </dd>
              </div>
            ))}
          </dl>
          {questions.length > mostShown && (
            <p class="note">
              {`${count(questions.length - mostShown)} more: colloquy compare ${a} ${b} --questions`}
            </p>
          )}
        </details>
      ))}
    </section>
  );
}

/** A page that says why there is no other. */
export function noticePage({ store, title, says }: Record<'store' | 'title' | 'says', string>): VNode {
  return (
    <ServedPage title={title} store={store} under="">
      <Problem text={says} />
      <p>
        <a href="/">All experiments</a>
      </p>
    </ServedPage>
  );
}
