/** How figures and the places of requests are written, in reports and in the terminal: each kind in one way. */

/** A share in 0..1 as a percentage with one decimal: `61.2 %`. */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : '–';
}

/** A share in 0..1 with its standard error. */
type ShareWithError = { readonly accuracy: number; readonly standardError: number };

/** The ends of a share's interval, in 0..1. */
type Ends = { readonly low: number; readonly high: number };

/**
 * An accuracy in per cent with its standard error, where a column's head states the unit: `61.4 ±1.4`. Where no answer, or every answer, is
 * right, the error would be 0.0 whatever the sample: then the 95 % interval stands there, `0.0 (0.0–19.4)`.
 */
export function withError({ accuracy, standardError }: ShareWithError, interval: Ends): string {
  const value = (accuracy * 100).toFixed(1);
  const error = errorInPoints(standardError);
  return error === '0.0' ? `${value} (${interval95(interval)})` : `${value} ±${error}`;
}

/** An interval in per cent: `57.1–65.6`. */
export function interval95({ low, high }: Ends): string {
  return Number.isFinite(low) ? `${(low * 100).toFixed(1)}–${(high * 100).toFixed(1)}` : '–';
}

/** A standard error in percentage points, without its sign: `1.4`. */
export function errorInPoints(standardError: number): string {
  return (standardError * 100).toFixed(1);
}

/** The difference of two shares in percentage points, always with its sign: `+22.1`. */
export function points(difference: number): string {
  const rounded = (difference * 100).toFixed(1);
  if (!Number.isFinite(difference)) return '–';
  return Number(rounded) === 0 ? '±0.0' : difference > 0 ? `+${rounded}` : `−${rounded.slice(1)}`;
}

/** A p-value for a table: three decimals down to 0.001, then the power of ten: `0.031`, `2e-12`. */
export function pValue(p: number): string {
  if (!Number.isFinite(p)) return '–';
  if (p >= 0.001) return p.toFixed(3);
  return p < 1e-300 ? '< 1e-300' : p.toExponential(0);
}

/** A p-value in a sentence: `p = 0.031`, or `p < 0.001`. */
export function chance(p: number): string {
  return p < 0.001 ? 'p < 0.001' : `p = ${pValue(p)}`;
}

/** A whole number in groups of three digits: `12,345`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** A number of things: `1 method`, `12 methods`. */
export function counted(value: number, one: string): string {
  return `${count(value)} ${value === 1 ? one : `${one}s`}`;
}

/** Bytes in GiB, without the unit: `17.2`, and `0.004` for what is very little. */
export function gibibytes(bytes: number): string {
  const value = bytes / 2 ** 30;
  return value >= 0.05 || value === 0 ? value.toFixed(1) : Math.max(0.001, value).toFixed(3);
}

/** Bytes as people say them: `812 bytes`, `3.4 kB`, `17 GB`. */
export function sizeText(bytes: number): string {
  const [unit, scale] = units.find(([, each]) => bytes >= each) ?? ['bytes', 1];
  const value = bytes / scale;
  return `${value < 10 && scale > 1 ? value.toFixed(1) : count(value)} ${unit}`;
}

const units = [
  ['TB', 1e12],
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
] as const;

/** Seconds as people say them: `8.4 s`, `3 min 05 s`, `2 h 10 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${twoDigits(whole % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
}

/** What an evaluation is called: the base model, or the iteration after which it was made. */
export function evaluationName(iteration: number): string {
  return iteration === 0 ? 'base' : `iteration ${iteration}`;
}

/** How many iterations, in a sentence: `one iteration`, `3 iterations`. */
export function iterationsInWords(iterations: number): string {
  return iterations === 1 ? 'one iteration' : `${iterations} iterations`;
}

/** Items in a sentence: `a, b and c`. */
export function listed(items: readonly string[]): string {
  const last = items.at(-1) ?? '';
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} and ${last}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** A request of an experiment in words, behind the reason why a step failed: those who read it can find the prompt. */
export type RequestPlace = {
  readonly questionId: string;
  readonly agent: number;
  readonly round: number;
  /** The role that was asked. */
  readonly speaker: string;
};

const beginning = 'First met at question ';

export function placeText({ questionId, agent, round, speaker }: RequestPlace): string {
  return `${beginning}${questionId}, agent ${agent}, round ${round} (${speaker}).`;
}

/** A failure's message as its cause, which several steps may share, and the line about the request behind it, if any. */
export function splitPlace(message: string): { readonly cause: string; readonly place: string | null } {
  const at = message.lastIndexOf(`\n${beginning}`);
  return at < 0
    ? { cause: message, place: null }
    : { cause: message.slice(0, at), place: message.slice(at + 1) };
}
