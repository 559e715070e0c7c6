import { MultiBar, type SingleBar } from 'cli-progress';
import { duration } from '../text/figures.ts';
import { phaseProgressShort, phaseProgressText, secondsLeft } from '../workflows/progress-table.ts';
import { fineTuneText, type Snapshot } from './experiment/snapshot.ts';
import { createNews, liveProgress, shortWhereText, whereText } from './experiment/progress.ts';
import { colours } from './terminal.ts';

/** Shows the progress of an experiment while it runs. */
export type Display = {
  readonly show: (snapshot: Snapshot) => void;
  /** Prints a line that stays. */
  readonly say: (line: string) => void;
  readonly stop: () => void;
};

/** Bars on a terminal, plain lines elsewhere: in a log file, a pipe, a CI. */
export function createDisplay(stream: NodeJS.WriteStream): Display {
  return stream.isTTY && process.env['TERM'] !== 'dumb' ? terminalDisplay(stream) : plainDisplay(stream);
}

/** One line for each phase, and one more every 15 seconds while it lasts. */
function plainDisplay(stream: NodeJS.WriteStream, everyMs = 15_000): Display {
  const say = (line: string): void =>
    void stream.write(`${new Date().toTimeString().slice(0, 8)}  ${line}\n`);
  const track = trackPhase();
  const news = createNews();
  let last = { where: '', at: 0 };
  return {
    say,
    show(snapshot) {
      for (const line of news(snapshot)) say(line);
      if (snapshot.progress === null) return;
      const { where, text } = track(snapshot, snapshot.progress);
      if (where === last.where && Date.now() - last.at < everyMs) return;
      last = { where, at: Date.now() };
      const [fineTune] = fineTunesIn(snapshot);
      const detail = fineTune === undefined ? '' : `; ${fineTune.id}: ${fineTuneText(fineTune.heartbeat)}`;
      say(`${where}, ${text}${detail}`);
    },
    stop: () => undefined,
  };
}

/** A bar for the phase and one for each fine-tune in flight; news scroll by above them. */
function terminalDisplay(stream: NodeJS.WriteStream): Display {
  const { cyan, dim } = colours(stream);
  const bars = new MultiBar({
    stream,
    format: (_, { progress }, parts: Omit<LineParts, 'fraction'>) => {
      const line = progressLine(stream.columns || 80, { ...parts, fraction: progress });
      return lineText({ ...line, bar: line.bar === '' ? '' : cyan(line.bar), text: dim(line.text) });
    },
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    fps: 8,
  });
  const track = trackPhase();
  const news = createNews();
  const fineTuneBars = new Map<string, SingleBar>();
  let phaseBar: SingleBar | undefined;
  // The bars print logged lines when they are next drawn. Without bars, before the first or after the last drawing, that is never.
  const say = (line: string): void => {
    if (phaseBar === undefined) stream.write(`${line}\n`);
    else bars.log(`${line}\n`);
  };

  const showFineTunes = (snapshot: Snapshot): void => {
    const running = fineTunesIn(snapshot);
    for (const [id, bar] of fineTuneBars) {
      if (running.some((each) => each.id === id)) continue;
      bars.remove(bar);
      fineTuneBars.delete(id);
    }
    for (const { id, heartbeat } of running) {
      const payload = {
        label: id,
        shortLabel: id,
        text: fineTuneText(heartbeat),
        shortText: `${heartbeat.step}/${heartbeat.totalSteps}${heartbeat.loss === null ? '' : `, loss ${heartbeat.loss.toFixed(3)}`}`,
      };
      const bar = fineTuneBars.get(id) ?? bars.create(1000, 0, payload);
      fineTuneBars.set(id, bar);
      bar.update(Math.round((1000 * heartbeat.step) / Math.max(1, heartbeat.totalSteps)), payload);
    }
  };

  return {
    say,
    show(snapshot) {
      for (const line of news(snapshot)) say(line);
      if (snapshot.progress === null) return;
      const { where, shortWhere, text, shortText, fraction } = track(snapshot, snapshot.progress);
      const payload = { label: where, shortLabel: shortWhere, text, shortText };
      phaseBar ??= bars.create(1000, 0, payload);
      phaseBar.update(Math.round(1000 * fraction), payload);
      showFineTunes(snapshot);
    },
    stop() {
      if (phaseBar === undefined) return;
      bars.update();
      bars.stop();
      phaseBar = undefined;
    },
  };
}

function fineTunesIn({ pending }: Snapshot) {
  return pending.flatMap(({ id, heartbeat }) =>
    heartbeat !== undefined && 'step' in heartbeat ? [{ id, heartbeat }] : [],
  );
}

/** The words and the done fraction (0..1) of a phase. It never goes back within a phase, although its parts are read one after another. */
function trackPhase() {
  let phaseStarted = '';
  let highest = 0;
  const timeLeft = smoothedTimeLeft();
  return ({ pending }: Snapshot, progress: NonNullable<Snapshot['progress']>) => {
    const live = liveProgress(progress, pending, Date.now());
    if (live.phaseStartedAt !== phaseStarted) {
      phaseStarted = live.phaseStartedAt;
      highest = 0;
    }
    highest = Math.max(highest, live.done);
    const shown = { ...live, done: highest };
    const left = timeLeft(phaseStarted, secondsLeft(shown), Date.now());
    return {
      where: whereText(live),
      shortWhere: shortWhereText(live),
      text: phaseProgressText(shown, left),
      shortText: phaseProgressShort(shown, left),
      fraction: highest / Math.max(live.total, 1),
    };
  };
}

/** What a line shows: each text in a long and a short form. */
export type LineParts = {
  readonly label: string;
  readonly shortLabel: string;
  /** 0..1 */
  readonly fraction: number;
  readonly text: string;
  readonly shortText: string;
};

/** A line in parts, so that each can have its colour. An empty bar is left out. */
export type ProgressLine = {
  readonly label: string;
  readonly bar: string;
  readonly percentage: string;
  readonly text: string;
};

const labelWidth = 30;
const shortLabelWidth = 22;

/** The roomiest layout that fits into this number of columns; a line that fits into none is cut at its end. */
export function progressLine(columns: number, parts: LineParts): ProgressLine {
  const { label, shortLabel, fraction, text, shortText } = parts;
  const percentage = `${String(Math.round(100 * fraction)).padStart(3)} %`;
  const layouts: ProgressLine[] = [
    { label: label.padEnd(labelWidth), bar: barOf(fraction, 16), percentage, text },
    { label: label.padEnd(labelWidth), bar: barOf(fraction, 16), percentage, text: shortText },
    { label: shortLabel.padEnd(shortLabelWidth), bar: barOf(fraction, 10), percentage, text: shortText },
    { label: shortLabel, bar: '', percentage, text: shortText },
  ];
  const fitting = layouts.find((line) => lineText(line).length < columns);
  if (fitting !== undefined) return fitting;
  const room = Math.max(0, columns - 1 - percentage.length - 1);
  const shown = shortLabel.slice(0, room);
  return {
    label: shown,
    bar: '',
    percentage,
    text: shortText.slice(0, Math.max(0, room - shown.length - 1)),
  };
}

/** The line without colours. */
export function lineText({ label, bar, percentage, text }: ProgressLine): string {
  return [label, ...(bar === '' ? [] : [bar]), percentage, text].join(' ').trimEnd();
}

function barOf(fraction: number, size: number): string {
  const done = Math.min(size, Math.max(0, Math.round(fraction * size)));
  return '━'.repeat(done) + '╌'.repeat(size - done);
}

/**
 * Smooths the time left: between two looks it runs down with the clock, and goes only a part of the way to each new estimate. A new phase
 * begins afresh.
 */
export function smoothedTimeLeft(): (
  phase: string,
  seconds: number | undefined,
  now: number,
) => string | undefined {
  let before: { phase: string; seconds: number; at: number } | undefined;
  return (phase, seconds, now) => {
    if (seconds === undefined) {
      before = undefined;
      return undefined;
    }
    if (before?.phase !== phase) before = { phase, seconds, at: now };
    else {
      const passed = (now - before.at) / 1000;
      const expected = Math.max(0, before.seconds - passed);
      // After half a minute of looks, little is left of the first estimate.
      const weight = 1 - Math.exp(-passed / 10);
      before = { phase, seconds: expected + weight * (seconds - expected), at: now };
    }
    return inSteps(before.seconds);
  };
}

/** In steps that grow with the time, as an estimate is no more exact than that. */
function inSteps(seconds: number): string {
  const step = seconds < 10 ? 1 : seconds < 60 ? 5 : seconds < 600 ? 15 : 60;
  const rounded = Math.max(1, Math.ceil(seconds / step) * step);
  return rounded < 10 ? `${rounded} s` : duration(rounded);
}
