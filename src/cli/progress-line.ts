/** The line of a progress bar, fitted to the terminal, and its time left, which does not jump. */
import { duration } from '../text/figures.ts';

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
