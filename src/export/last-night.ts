import { ColloquyError, exitCodes } from '../errors.ts';
import { readLedger } from '../store/series.ts';
import type { Store } from '../store/store.ts';

/**
 * The experiment whose agents the next night of a series begins with: the last accepted one.
 *
 * @throws NoNightAccepted, SeriesDamaged
 */
export async function lastAcceptedNight(store: Store, series: string): Promise<string> {
  const nights = await readLedger(store, series);
  const night = nights.findLast(({ next }) => next !== null)?.next?.night;
  if (night === undefined || night === null) throw new NoNightAccepted(series, nights.length);
  return night;
}

/** No night of the series was carried on, so its agents are still the base model. */
export class NoNightAccepted extends ColloquyError {
  override name = 'NoNightAccepted' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(series: string, nights: number) {
    super(
      nights === 0
        ? `The series ${series} has no finished night in this store: it has not begun, has another name, or is elsewhere (COLLOQUY_STORE).`
        : `None of the ${nights} finished nights of the series ${series} was accepted, so its agents are still the base model.`,
    );
  }
}
