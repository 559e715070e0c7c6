/** @jsxRuntime automatic @jsxImportSource preact */
import type { VNode } from 'preact';
import { stringify } from 'yaml';
import type { Drawn } from '../report/charts/style.ts';
import { AccuracySection } from '../report/pages/accuracy-sections.tsx';
import {
  type ExperimentCharts,
  ExperimentSections,
  WarningsSection,
} from '../report/pages/experiment-pages.tsx';
import { Tiles } from '../report/parts/figures.tsx';
import { Heading, Problem, ServedPage, Silent } from '../report/parts/page.tsx';
import type { ReportData } from '../report/read/experiment.ts';
import { counted } from '../text/figures.ts';
import { shellWord, terminalSafe } from '../text/safe-text.ts';
import { phaseName, phaseProgressText, progressTable } from '../workflows/progress-table.ts';
import type { Progress } from '../workflows/progress.ts';
import type { Note } from '../workflows/waiting-notes.ts';
import { type Entry, type Experiment, hasFinished, isGoing, type Told } from './contents.ts';
import { StateChip } from './list-page.tsx';

/** What Temporal knows of an experiment. */
export type LiveExperiment = {
  readonly status: string;
  /** With the steps in flight as fractions; null when no worker answers. */
  readonly progress: Progress | null;
  /** The steps in flight, a line each. */
  readonly steps: readonly string[];
  /** What waits for a person or for a worker, with the commands that help. */
  readonly notes: readonly Note[];
  /** Why it ended without a result. */
  readonly failure: string | null;
};

export type ExperimentProps = {
  readonly store: string;
  readonly entry: Entry;
  /** As it was begun; null when it cannot be read. */
  readonly config: unknown;
  /** Null when Temporal knows no such experiment. */
  readonly told: Told<LiveExperiment | null>;
  /** Of a finished experiment: what its report shows. */
  readonly report: (ExperimentCharts & { readonly data: ReportData }) | null;
  /** Of one that has not finished: its accuracy so far; null before the first evaluation. */
  readonly chart: Drawn | null;
  /** What of it cannot be shown, and why; null when all is whole. */
  readonly problem: string | null;
};

/** An experiment: where it is and what it waits for, then what its report shows, or what there is of it so far. */
export function experimentPage(props: ExperimentProps): VNode {
  const { store, entry, config, told, report, chart, problem } = props;
  const { name, state, experiment } = entry;
  const live = 'value' in told ? told.value : null;
  const finished = report !== null && !isGoing(entry);
  return (
    <ServedPage
      title={name}
      store={store}
      under=""
      contents={finished}
      refresh={finished ? undefined : isGoing(entry) ? 2 : 10}
    >
      <p class="lead state">
        <StateChip state={state} /> {live?.progress && isGoing(entry) && phaseName(live.progress)}
        {!finished && settingText(experiment)}
      </p>
      <Links entry={entry} />
      {'silent' in told && !finished && <Silent why={told.silent} />}
      <Problem text={problem} />
      {live !== null && isGoing(entry) && <LiveSections live={live} />}
      {live?.failure && (
        <section class="card problem">
          <Heading title="Why it ended" />
          <pre>{terminalSafe(live.failure)}</pre>
          <p>What is finished stays: the command that started it goes on from there.</p>
        </section>
      )}
      {finished ? (
        <ExperimentSections {...report} />
      ) : (
        <SoFar {...{ experiment, config, chart, progress: live?.progress ?? null }} />
      )}
      <Commands entry={entry} />
    </ServedPage>
  );
}

function settingText(experiment: Experiment | null): string {
  if (!experiment?.setting) return '';
  const { task, model, method, iterations } = experiment.setting;
  return terminalSafe(` · ${task} · ${method} · ${model} · ${counted(iterations, 'iteration')}`);
}

function Links({ entry }: { entry: Entry }) {
  const { name, experiment } = entry;
  const finished = hasFinished(entry);
  const evaluated = experiment !== null && experiment.evaluations.length > 0;
  return (
    <nav class="links" aria-label="More of this experiment">
      {evaluated && <a href="debates.html">Debates to read</a>}
      {finished && <a href="report.html">Report in one file</a>}
      {finished && (
        <a href={`/compare?${new URLSearchParams({ a: name }).toString()}`}>Compare with another</a>
      )}
    </nav>
  );
}

/** Where a running experiment is, what it waits for, and the steps in flight. */
function LiveSections({ live: { progress, steps, notes } }: { live: LiveExperiment }) {
  return (
    <>
      {notes.length > 0 && (
        <section class="card waits">
          <Heading title="Waiting for you" />
          {notes.map((note) => (
            <NoteText note={note} />
          ))}
        </section>
      )}
      {progress === null ? (
        <p class="card silent">No worker answers for it: how far it is, is not known.</p>
      ) : (
        <section>
          <Heading title="Now" />
          <div class="card now">
            <label for="phase">{phaseProgressText(progress)}</label>
            <progress id="phase" max={Math.max(1, progress.total)} value={progress.done} />
            <Facts facts={factsOf(progress)} />
          </div>
        </section>
      )}
      {steps.length > 0 && (
        <section>
          <Heading title="In flight" />
          <ul class="card steps">
            {steps.map((step) => (
              <li>{terminalSafe(step)}</li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function NoteText({ note: { says, quoted, commands } }: { note: Note }) {
  return (
    <>
      <p>{terminalSafe(says)}</p>
      {quoted !== undefined && <pre class="quoted">{terminalSafe(quoted)}</pre>}
      {commands !== undefined && <pre>{terminalSafe(commands.join('\n'))}</pre>}
    </>
  );
}

/** The rows of the table of `colloquy status` that the page does not show in another way. */
function factsOf(progress: Progress): [string, string][] {
  const shown = ['state', 'phase', 'done', 'rate', 'time left', 'waits for a person', 'what to do'];
  return Object.entries(progressTable(progress)).filter(([what]) => !shown.includes(what));
}

function Facts({ facts }: { facts: readonly (readonly [string, string])[] }) {
  return (
    <dl>
      {facts.map(([what, text]) => (
        <div>
          <dt>{what}</dt>
          <dd>{terminalSafe(text)}</dd>
        </div>
      ))}
    </dl>
  );
}

type SoFarProps = Pick<ExperimentProps, 'config' | 'chart'> & {
  readonly experiment: Experiment | null;
  readonly progress: Progress | null;
};

/** What there is of an experiment that has not finished, by the sections of the report. */
function SoFar({ experiment, config, chart, progress }: SoFarProps) {
  const evaluations = experiment?.evaluations ?? progress?.evaluations ?? [];
  const warnings = progress?.warnings ?? [];
  const aside = progress?.guard?.rolledBack ?? [];
  return (
    <>
      <Tiles evaluations={evaluations} />
      {warnings.length > 0 && <WarningsSection warnings={[...warnings]} />}
      {chart !== null && <AccuracySection evaluations={evaluations} aside={aside} chart={chart} />}
      {evaluations.length === 0 && <p class="note">Nothing of it has been evaluated yet.</p>}
      {config !== null && (
        <section>
          <Heading title="Settings" />
          <details class="card more">
            <summary>Resolved config, as it was begun</summary>
            <pre>{terminalSafe(stringify(config))}</pre>
          </details>
        </section>
      )}
    </>
  );
}

/** This page changes nothing: what a person can do next is a command. */
function Commands({ entry }: { entry: Entry }) {
  const name = shellWord(entry.name);
  const commands =
    entry.state === 'running'
      ? [`colloquy status ${name} --watch`, `colloquy pause ${name}`, `colloquy set-iterations ${name} 5`]
      : hasFinished(entry)
        ? [
            `colloquy ask '3+4*5-6' --experiment ${name}`,
            `colloquy serve --experiment ${name}`,
            `colloquy export ${name}`,
          ]
        : [];
  if (commands.length === 0) return null;
  return (
    <section>
      <Heading title="From a terminal" />
      <p class="note">These pages only show. What changes or uses an experiment is a command:</p>
      <pre class="card">{commands.join('\n')}</pre>
    </section>
  );
}
