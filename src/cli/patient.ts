import type { Temporal } from './connect.ts';
import { grpcErrorIn } from './grpc-error.ts';
import { TemporalNotReachable } from './temporal-not-reachable.ts';

/**
 * Looks at a server again and again. One that goes away is waited for, a minute: until it is back, a look is undefined.
 *
 * @throws TemporalNotReachable after that minute; whatever else a look throws, at once
 */
export function patient({
  address,
}: Temporal): <Seen>(look: () => Promise<Seen>) => Promise<Seen | undefined> {
  let silentSince: number | undefined;
  return async (look) => {
    try {
      const seen = await look();
      silentSince = undefined;
      return seen;
    } catch (error) {
      if (grpcErrorIn(error) === undefined) throw error;
      silentSince ??= Date.now();
      if (Date.now() - silentSince > 60_000)
        throw new TemporalNotReachable(address, 'no answer for a minute');
      return undefined;
    }
  };
}
