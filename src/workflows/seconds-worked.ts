import type { Progress } from './progress.ts';

/** Seconds from the last change until `now` (milliseconds) in which something was being done: none in a pause or while all waits for a person. */
export function secondsWorked({ state, inFlight, at }: Progress, now: number): number {
  const working = inFlight > 0 && (state === 'running' || state === 'parked');
  return working ? Math.max(0, (now - Date.parse(at)) / 1000) : 0;
}
