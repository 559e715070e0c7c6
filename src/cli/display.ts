import { MultiBar, type SingleBar } from 'cli-progress';
import { colours, wantsColours } from './colours.ts';
import { phaseProgress } from './phase-progress.ts';
import { createNews, fineTuneText, phaseText, whereText } from './progress-text.ts';
import { createRateMeter } from './rate-meter.ts';
import type { Snapshot } from './snapshot.ts';

/** Shows an experiment's progress as it comes. */
export type Display = {
  show(snapshot: Snapshot): void;
  /** A line that stays. */
  say(line: string): void;
  stop(): void;
};

/** Bars on a terminal, plain lines elsewhere: in a log file, a pipe, a CI. */
export function createDisplay(stream: NodeJS.WriteStream): Display {
  return stream.isTTY && process.env['TERM'] !== 'dumb' ? terminalDisplay(stream) : plainDisplay(stream);
}

/** One line for each phase, one more every 15 seconds while it lasts. */
function plainDisplay(stream: NodeJS.WriteStream, everyMs = 15_000): Display {
  const say = (line: string): void =>
    void stream.write(`${new Date().toTimeString().slice(0, 8)}  ${line}\n`);
  const tracker = trackPhase();
  const news = createNews();
  let told = { where: '', at: 0 };
  return {
    say,
    show(snapshot) {
      for (const line of news(snapshot)) say(line);
      if (snapshot.progress === null) return;
      const { where, text } = tracker(snapshot, Date.now());
      if (where === told.where && Date.now() - told.at < everyMs) return;
      told = { where, at: Date.now() };
      const [fineTune] = fineTunesIn(snapshot);
      const detail = fineTune === undefined ? '' : `; ${fineTune.id}: ${fineTuneText(fineTune.heartbeat)}`;
      say(`${where}: ${text}${detail}`);
    },
    stop: () => undefined,
  };
}

/** A bar for the phase and one for each fine-tune in flight; news scroll by above them. */
function terminalDisplay(stream: NodeJS.WriteStream): Display {
  const { cyan, dim } = colours(stream);
  const bars = new MultiBar({
    stream,
    format: `{label} ${wantsColours(stream) ? cyan('{bar}') : '{bar}'} {percentage} %  ${dim('{text}')}`,
    barCompleteChar: '━',
    barIncompleteChar: '╌',
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    fps: 8,
  });
  const tracker = trackPhase();
  const fineTunes = new Map<string, SingleBar>();
  let phaseBar: SingleBar | undefined;
  const news = createNews();
  // The bars print what is logged when they are next drawn: before the first and after the last drawing, that is never.
  const say = (line: string): void => {
    if (phaseBar === undefined) stream.write(`${line}\n`);
    else bars.log(`${line}\n`);
  };

  const showFineTunes = (snapshot: Snapshot): void => {
    const running = fineTunesIn(snapshot);
    for (const [id, bar] of fineTunes) {
      if (running.some((each) => each.id === id)) continue;
      bars.remove(bar);
      fineTunes.delete(id);
    }
    for (const { id, heartbeat } of running) {
      const payload = { label: id.padEnd(labelWidth), text: fineTuneText(heartbeat) };
      const bar = fineTunes.get(id) ?? bars.create(1000, 0, payload);
      fineTunes.set(id, bar);
      bar.update(Math.round((1000 * heartbeat.step) / Math.max(1, heartbeat.totalSteps)), payload);
    }
  };

  return {
    say,
    show(snapshot) {
      for (const line of news(snapshot)) say(line);
      if (snapshot.progress === null) return;
      const { where, text, fraction } = tracker(snapshot, Date.now());
      const payload = { label: where.padEnd(labelWidth), text };
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

const labelWidth = 28;

function fineTunesIn({ pending }: Snapshot) {
  return pending.flatMap(({ id, heartbeat }) =>
    heartbeat !== undefined && 'step' in heartbeat ? [{ id, heartbeat }] : [],
  );
}

/** Follows a phase's fraction and its rate; within one phase a fraction never falls, although its parts are read one after another. */
function trackPhase() {
  let meter = createRateMeter();
  let phaseStarted = '';
  let highest = 0;
  return ({ progress, pending }: Snapshot, at: number) => {
    if (progress === null) return { where: '', text: '', fraction: 0 };
    if (progress.phaseStartedAt !== phaseStarted) {
      phaseStarted = progress.phaseStartedAt;
      meter = createRateMeter();
      highest = 0;
    }
    const phase = phaseProgress(progress, pending);
    highest = Math.max(highest, phase.fraction);
    meter.note(at, highest);
    const done = Math.max(phase.done, phase.unit === 'questions' ? Math.floor(highest * phase.total) : 0);
    const text = phaseText({ ...phase, fraction: highest, done }, meter.perSecond());
    return { where: whereText(progress), text, fraction: highest };
  };
}
