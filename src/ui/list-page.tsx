/** @jsxRuntime automatic @jsxImportSource preact */
import type { VNode } from 'preact';
import { accuracyInterval } from '../algorithm/measures/answers.ts';
import { Gain, Grid } from '../report/parts/figures.tsx';
import { Heading, Problem, ServedPage, Silent } from '../report/parts/page.tsx';
import { count, counted, interval95, percent } from '../text/figures.ts';
import { terminalSafe } from '../text/safe-text.ts';
import {
  type Entry,
  type Experiment,
  hasFinished,
  isGoing,
  type LiveList,
  newestOf,
  type Series,
  type Study,
  type Told,
} from './contents.ts';

const perPage = 50;

export type ListProps = {
  readonly store: string;
  readonly entries: readonly Entry[];
  readonly studies: readonly Study[];
  readonly series: readonly Series[];
  readonly told: Told<LiveList>;
  readonly filter: string;
  /** 1 is the first. */
  readonly page: number;
};

/** The first page: all that the store has, and what waits for a person. */
export function listPage({ store, entries, studies, series, told, filter, page }: ListProps): VNode {
  const matching = entries.filter((entry) => matches(entry, filter));
  const running = entries.filter(isGoing).length;
  const waiting = entries.filter(({ run }) => run?.waits !== undefined);
  return (
    <ServedPage title="Experiments" store={store} under="/" refresh={5}>
      <p class="lead">
        {[
          counted(entries.length, 'experiment'),
          `${count(running)} not ended`,
          ...(waiting.length === 0 ? [] : [`${count(waiting.length)} waiting for you`]),
        ].join(' · ')}
      </p>
      {'silent' in told && <Silent why={told.silent} />}
      {waiting.length > 0 && <WaitingSection entries={waiting} />}
      {entries.length > 8 && <Filter filter={filter} />}
      {entries.length === 0 ? (
        <p class="card empty">
          This store has no experiment yet. Start one: <code>npx colloquy run quickstart</code>
        </p>
      ) : (
        <>
          {filter !== '' && (
            <p class="note">
              {`${count(matching.length)} of ${count(entries.length)} with “${filter}”. `}
              <a href="/">Show all</a>
            </p>
          )}
          <EntryTable caption="Experiments" entries={matching.slice((page - 1) * perPage, page * perPage)} />
          <PageLinks page={page} of={Math.ceil(matching.length / perPage)} filter={filter} />
        </>
      )}
      {studies.length > 0 && <StudiesSection studies={studies} entries={entries} told={told} />}
      <NightsSection series={series} told={told} />
    </ServedPage>
  );
}

function matches({ name, state, experiment }: Entry, filter: string): boolean {
  const { task = '', model = '', method = '' } = experiment?.setting ?? {};
  return [name, state, task, model, method].some((each) => each.toLowerCase().includes(filter.toLowerCase()));
}

function Filter({ filter }: { filter: string }) {
  return (
    <form class="filter" method="get" action="/" role="search">
      <label for="filter">Name, state, task, model or method</label>
      <input id="filter" name="filter" type="search" value={filter} maxLength={100} />
      <button type="submit">Filter</button>
    </form>
  );
}

function PageLinks({ page, of, filter }: { page: number; of: number; filter: string }) {
  if (of < 2) return null;
  const address = (to: number) => `/?${new URLSearchParams({ filter, page: String(to) }).toString()}`;
  return (
    <nav class="pages" aria-label="Pages of the list">
      {page > 1 && <a href={address(page - 1)}>Previous</a>}
      <span>{`Page ${page} of ${of}`}</span>
      {page < of && <a href={address(page + 1)}>Next</a>}
    </nav>
  );
}

function WaitingSection({ entries }: { entries: readonly Entry[] }) {
  return (
    <section class="card waits">
      <Heading title="Waiting for you" />
      <ul>
        {entries.map(({ name, run }) => (
          <li>
            <a href={addressOf(name)}>{name}</a> {terminalSafe(run?.waits?.why ?? '')}
            <pre>{terminalSafe(run?.waits?.command ?? '')}</pre>
          </li>
        ))}
      </ul>
    </section>
  );
}

type StudiesProps = Pick<ListProps, 'studies' | 'entries' | 'told'>;

function StudiesSection({ studies, entries, told }: StudiesProps) {
  const runs = 'value' in told ? told.value.runs : [];
  return (
    <section>
      <Heading title="Studies" />
      <Grid
        caption="Methods, experiments and seeds side by side"
        head={['Study', 'State', 'Experiments finished']}
        rows={studies.map(({ name, experiments, problem }) => {
          const own = new Set(experiments);
          const finished = entries.filter((each) => own.has(each.name) && hasFinished(each));
          const run = runs.find((each) => each.name === name);
          const state = run?.status ?? (finished.length === own.size ? 'finished' : 'not running');
          return [
            <>
              <a href={addressOf(name, 'studies')}>{name}</a>
              <Problem text={problem} />
            </>,
            <StateChip state={state === 'completed' ? 'finished' : state.replaceAll('_', ' ')} />,
            `${count(finished.length)} of ${count(own.size)}`,
          ];
        })}
      />
    </section>
  );
}

function NightsSection({ series, told }: Pick<ListProps, 'series' | 'told'>) {
  const schedules = 'value' in told ? told.value.schedules : [];
  if (series.length === 0 && schedules.length === 0) return null;
  return (
    <section>
      <Heading title="Nights" />
      {series.length > 0 && (
        <Grid
          caption="Series of nights"
          head={['Series', 'Nights', 'Carried on', 'The last one']}
          rows={series.map(({ name, nights, problem }) => [
            <>
              <a href={addressOf(name, 'series')}>{name}</a>
              <Problem text={problem} />
            </>,
            count(nights.length),
            count(nights.filter(({ outcome }) => outcome === 'accepted').length),
            <span class="wrap">{nights.at(-1)?.said ?? '–'}</span>,
          ])}
        />
      )}
      {schedules.length > 0 && (
        <Grid
          caption="Schedules"
          head={['Schedule', 'State', 'Next night', 'Started', 'Skipped']}
          rows={schedules.map(({ name, state, next, started, skipped }) => [
            terminalSafe(name),
            <span class="wrap">{state}</span>,
            next,
            started,
            <span class="wrap">{skipped}</span>,
          ])}
        />
      )}
    </section>
  );
}

/** The address of an experiment's page: that of its folder in the store, so that links of reports lead to it. */
export function addressOf(name: string, kind: 'experiment' | 'studies' | 'series' = 'experiment'): string {
  return `/store/${kind === 'experiment' ? '' : `${kind}/`}${encodeURIComponent(name)}/`;
}

/** Experiments with their states, settings and accuracies. */
export function EntryTable({ caption, entries }: { caption: string; entries: readonly Entry[] }) {
  const budgets = entries.some((entry) => budgetOf(entry) !== null);
  return (
    <div class="entries">
      <Grid
        caption={caption}
        head={[
          'Experiment',
          'State',
          'Accuracy of the debate',
          ...(budgets ? ['Budget'] : []),
          'Last change, UTC',
        ]}
        rows={entries.map((entry) => [
          <NameCell entry={entry} />,
          <StateCell entry={entry} />,
          <AccuracyCell experiment={entry.experiment} />,
          ...(budgets ? [<span class="wrap">{budgetOf(entry) ?? '–'}</span>] : []),
          <Time at={newestOf(entry)} />,
        ])}
      />
    </div>
  );
}

function budgetOf({ run, experiment }: Entry): string | null {
  return run?.budget ?? experiment?.budget ?? null;
}

function NameCell({ entry: { name, experiment } }: { entry: Entry }) {
  const setting = experiment?.setting;
  return (
    <>
      <a href={addressOf(name)}>{name}</a>
      {setting && (
        <div class="under">{terminalSafe(`${setting.task} · ${setting.method} · ${setting.model}`)}</div>
      )}
      {experiment === null && <div class="under">not in this store</div>}
      {experiment?.problem && <div class="problem">{shortened(experiment.problem)}</div>}
    </>
  );
}

/** The page of the experiment has the whole text, with hashes and what to do. */
function shortened(problem: string): string {
  const [first = ''] = terminalSafe(problem).split(/: |\n/);
  return first.length > 160 ? `${first.slice(0, 160)}…` : first;
}

function StateCell({ entry: { state, run, experiment } }: { entry: Entry }) {
  const { setting, evaluations = [] } = experiment ?? {};
  const done = Math.max(0, evaluations.length - 1);
  const where = run?.phase ?? (setting ? `${done} of ${counted(setting.iterations, 'iteration')}` : null);
  return (
    <>
      <StateChip state={state} />
      {where !== null && <div class="under">{where}</div>}
    </>
  );
}

const tones: Readonly<Record<string, string>> = {
  running: 'running',
  pausing: 'running',
  continued: 'running',
  paused: 'tied',
  parked: 'tied',
  finished: 'right',
  failed: 'wrong',
  damaged: 'wrong',
  'timed out': 'wrong',
};

/** A state in its colour; the word says it too. */
export function StateChip({ state }: { state: string }) {
  return <span class={`chip ${tones[state] ?? ''}`}>{state}</span>;
}

function AccuracyCell({ experiment }: { experiment: Experiment | null }) {
  const { evaluations = [], chosen = 0 } = experiment ?? {};
  const base = evaluations[0];
  const last = evaluations.find(({ iteration }) => iteration === chosen) ?? evaluations.at(-1);
  if (base === undefined || last === undefined) return <>–</>;
  const difference = last.debate.accuracy - base.debate.accuracy;
  return (
    <>
      {last !== base && (
        <>
          {percent(base.debate.accuracy)} <span aria-hidden="true">→</span>
          <span class="hidden">to</span>{' '}
        </>
      )}
      <strong>{percent(last.debate.accuracy)}</strong>
      <div class="under">
        {interval95(accuracyInterval(last.debate, last.questions))}
        {last !== base && (
          <>
            , <Gain difference={difference} />
          </>
        )}
      </div>
    </>
  );
}

function Time({ at }: { at: number }) {
  const iso = new Date(at).toISOString();
  return at === 0 ? <>–</> : <time dateTime={iso}>{iso.slice(0, 16).replace('T', ' ')}</time>;
}
