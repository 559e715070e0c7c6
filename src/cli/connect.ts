import { Client, Connection } from '@temporalio/client';
import { grpcErrorIn } from './grpc-error.ts';
import { connectSettings, settleAddress } from './temporal-address.ts';
import { TemporalNotReachable } from './temporal-not-reachable.ts';

/** An open connection to Temporal. */
export type Temporal = {
  readonly client: Client;
  readonly address: string;
  readonly namespace: string;
  close(): Promise<void>;
};

/**
 * Connects as the temporal CLI would: TEMPORAL_* variables, then the profile of its config file, then 127.0.0.1:7233.
 *
 * @throws TemporalNotReachable, TemporalSettingsUnusable
 */
export async function connect(): Promise<Temporal> {
  settleAddress();
  const { connectionOptions, namespace = 'default' } = connectSettings();
  const address = connectionOptions.address ?? '127.0.0.1:7233';
  try {
    const connection = await Connection.connect({ ...connectionOptions, address, connectTimeout: '5s' });
    return {
      client: new Client({ connection, namespace }),
      address,
      namespace,
      close: () => connection.close(),
    };
  } catch (error) {
    throw new TemporalNotReachable(address, error instanceof Error ? error.message : String(error));
  }
}

/** Connects, does something and closes the connection, whatever comes of it. */
export async function withTemporal<Result>(work: (temporal: Temporal) => Promise<Result>): Promise<Result> {
  const temporal = await connect();
  try {
    return await work(temporal);
  } catch (error) {
    if (grpcErrorIn(error)?.code === unavailable)
      throw new TemporalNotReachable(temporal.address, 'it has gone away');
    throw error;
  } finally {
    await temporal.close();
  }
}

/** grpc.status.UNAVAILABLE */
const unavailable = 14;
