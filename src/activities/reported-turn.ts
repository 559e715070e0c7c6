import type { Endpoint } from '../engines/endpoint.ts';
import { report } from '../telemetry/reports.ts';

/** Does `work` in a turn at the endpoint, and reports how the endpoint's queue changes with it. */
export function reportedTurn<Result>(
  endpoint: Endpoint,
  name: string,
  work: () => Promise<Result>,
): Promise<Result> {
  report('queue', { endpoint: name, waiting: 1, inFlight: 0 });
  return endpoint.turn(async () => {
    report('queue', { endpoint: name, waiting: -1, inFlight: 1 });
    try {
      return await work();
    } finally {
      report('queue', { endpoint: name, waiting: 0, inFlight: -1 });
    }
  });
}
