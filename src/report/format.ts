/** How figures are written, in the report and in the terminal: one way for each kind. */
import type { Accuracy } from '../algorithm/measures/answers.ts';

/** A share in 0..1 as a percentage with one decimal: `61.2 %`. */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : '–';
}

/** An accuracy in per cent with its standard error, where a column's head says the unit: `61.4 ±1.4`. */
export function withError({ accuracy, standardError }: Accuracy): string {
  return `${(accuracy * 100).toFixed(1)} ±${(standardError * 100).toFixed(1)}`;
}

/** The difference of two shares in percentage points, always with its sign: `+22.1`. */
export function points(difference: number): string {
  const rounded = (difference * 100).toFixed(1);
  if (!Number.isFinite(difference)) return '–';
  return Number(rounded) === 0 ? '±0.0' : difference > 0 ? `+${rounded}` : `−${rounded.slice(1)}`;
}

/** A p-value: three decimals while they say something, then the power of ten. */
export function pValue(p: number): string {
  if (!Number.isFinite(p)) return '–';
  if (p >= 0.001) return p.toFixed(3);
  return p < 1e-300 ? '< 1e-300' : p.toExponential(0);
}

/** A whole number with thin groups of three: `12,345`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Seconds as people say them: `8.4 s`, `3 min 05 s`, `2 h 10 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${pad(whole % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** What an evaluation is called: the base model, or the iteration after which it was made. */
export function evaluationName(iteration: number): string {
  return iteration === 0 ? 'base' : `iteration ${iteration}`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
