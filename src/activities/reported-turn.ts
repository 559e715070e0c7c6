import type { Endpoint } from '../engines/endpoint.ts';
import { report } from '../telemetry/reports.ts';

/** Does `work` in a turn at the endpoint, and reports how the endpoint's queue changes with it. */
export async function reportedTurn<Result>(
  endpoint: Endpoint,
  name: string,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  let inFlight = 0;
  report('queue', { endpoint: name, waiting: 1, inFlight });
  try {
    return await endpoint.turn(() => {
      inFlight = 1;
      report('queue', { endpoint: name, waiting: -1, inFlight });
      return work();
    }, signal);
  } finally {
    report('queue', { endpoint: name, waiting: inFlight - 1, inFlight: -inFlight });
  }
}
