/** At which request of an experiment did an error happen? */
import { PromptTooLong } from '../../engines/errors.ts';
import { placeText, type RequestPlace } from '../../text/request-place.ts';

/** The first request that met an error: several wait for one adapter, and then have the same error. */
const places = new WeakMap<Error, RequestPlace>();

/** Does the work of one request, and notes the request with an error that it throws. */
export async function atPlace<Result>(place: RequestPlace, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && !places.has(error)) places.set(error, place);
    throw error;
  }
}

/** Where an error happened, as a line behind its message; nothing when it names the place itself or happened at no request. */
export function placeOf(error: Error): string {
  const place = places.get(error);
  return place === undefined || error instanceof PromptTooLong ? '' : `\n${placeText(place)}`;
}
