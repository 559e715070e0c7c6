/** The connection to Temporal: where the server is, how to reach it, and what to do while it does not answer. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, isGrpcServiceError } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { colloquy } from '../../config/installation.ts';
import { openStore } from '../../store/store.ts';
import { devServerOf } from '../../workers/dev-server-process.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

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
 * @param connectTimeout how long the server may take to answer
 * @throws TemporalNotReachable, TemporalSettingsUnusable
 */
export async function connect(connectTimeout: '2s' | '5s' = '5s'): Promise<Temporal> {
  if (configuredAddress() === undefined) {
    // This project's own dev server, which may have had to take another port than 7233.
    const own = devServerOf(devDatabase());
    if (own !== undefined) useLocalServer(own.address);
  }
  const { connectionOptions, namespace = 'default' } = connectSettings();
  const address = connectionOptions.address ?? '127.0.0.1:7233';
  try {
    const connection = await Connection.connect({ ...connectionOptions, address, connectTimeout });
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

/**
 * Connects, runs `work` and closes the connection, also after an error.
 *
 * @throws TemporalNotReachable also when the server goes away during the work
 */
export async function withTemporal<Result>(work: (temporal: Temporal) => Promise<Result>): Promise<Result> {
  const temporal = await connect();
  try {
    return await work(temporal);
  } catch (error) {
    if (grpcErrorIn(error)?.code === unavailable)
      throw new TemporalNotReachable(temporal.address, 'it has gone away');
    if (error instanceof NamespaceNotFoundError)
      throw new TemporalNotReachable(temporal.address, `it has no namespace ${error.namespace}`);
    throw error;
  } finally {
    await temporal.close();
  }
}

/** grpc.status.UNAVAILABLE */
const unavailable = 14;

/**
 * For reading from a server again and again: waits up to a minute for a server that went away. Until it is back, the result of a
 * read is undefined.
 *
 * @throws TemporalNotReachable after that minute; any other error of a read at once
 */
export function tolerateOutages(
  { address }: Pick<Temporal, 'address'>,
  patienceMs = 60_000,
): <Value>(read: () => Promise<Value>) => Promise<Value | undefined> {
  let silentSince: number | undefined;
  return async (read) => {
    try {
      const value = await read();
      silentSince = undefined;
      return value;
    } catch (error) {
      // A server that is starting does not know its namespaces yet.
      const withoutNamespace = error instanceof NamespaceNotFoundError;
      if (grpcErrorIn(error) === undefined && !withoutNamespace) throw error;
      silentSince ??= Date.now();
      if (Date.now() - silentSince > patienceMs)
        throw new TemporalNotReachable(
          address,
          withoutNamespace
            ? `it has no namespace ${error.namespace}`
            : `no answer for ${patienceMs / 1000} s`,
        );
      return undefined;
    }
  };
}

/**
 * Does `work` once the server answers, within 20 s: a dev server that starts, or starts again, does not know its namespaces at first.
 *
 * @param work may be done again after an error of the server
 * @throws TemporalNotReachable; any other error of the work at once
 */
export async function onceReachable<Value extends object>(
  temporal: Pick<Temporal, 'address'>,
  work: () => Promise<Value>,
): Promise<Value> {
  const attempt = tolerateOutages(temporal, 20_000);
  for (;;) {
    const value = await attempt(work);
    if (value !== undefined) return value;
    await sleep(500);
  }
}

/** The error of the server or the network in what Temporal's client threw, which may wrap it; undefined for any other error. */
function grpcErrorIn(error: unknown): { readonly code: number } | undefined {
  if (isGrpcServiceError(error)) return error;
  return error instanceof Error && isGrpcServiceError(error.cause) ? error.cause : undefined;
}

/** No Temporal server answers at the address, or it refuses the connection. */
export class TemporalNotReachable extends ColloquyError {
  override name = 'TemporalNotReachable' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.temporalNotReachable;

  constructor(address: string, reason: string) {
    super(
      `Temporal does not answer at ${address} (${reason}).\n` +
        `Start a server together with a worker in another terminal:  ${colloquy} dev\n` +
        'Or say where it is: TEMPORAL_ADDRESS=host:port, or a profile as for the temporal CLI (TEMPORAL_PROFILE).',
    );
  }
}

/** The TEMPORAL_* variables or the profile have a fault. */
export class TemporalSettingsUnusable extends ColloquyError {
  override name = 'TemporalSettingsUnusable' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  constructor(reason: string) {
    super(
      `Temporal's connection settings cannot be used: ${reason}. ` +
        "They come from TEMPORAL_* variables and the temporal CLI's config file (`temporal config list`).",
    );
  }
}

function connectSettings(): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig();
  } catch (error) {
    throw new TemporalSettingsUnusable(error instanceof Error ? error.message : String(error));
  }
}

/** The address that the user has set; undefined when there is none. @throws TemporalSettingsUnusable */
export function configuredAddress(): string | undefined {
  return connectSettings().connectionOptions.address;
}

/** The database file of this project's dev server. */
export function devDatabase(): string {
  return join(openStore().local, 'temporal.db');
}

/** From now on this process and its children use a dev server, without the keys and certificates that a profile has for other servers. */
export function useLocalServer(address: string): void {
  for (const name of Object.keys(process.env)) {
    if (/^TEMPORAL_(TLS.*|API_KEY|PROFILE|CODEC.*|GRPC_META.*)$/.test(name)) delete process.env[name];
  }
  // For the library (1.24) a missing file means no profile; an empty one is an error.
  process.env['TEMPORAL_CONFIG_FILE'] = join(openStore().local, 'no-profile.toml');
  process.env['TEMPORAL_ADDRESS'] = address;
  process.env['TEMPORAL_NAMESPACE'] = 'default';
}

/** The web UI's page of an experiment; undefined for other servers than this project's own, whose UI could be anywhere. */
export function uiUrlOf(address: string, name: string): string | undefined {
  const own = devServerOf(devDatabase());
  if (own?.uiUrl === undefined || own.address !== address) return undefined;
  return `${own.uiUrl}/namespaces/default/workflows/${encodeURIComponent(name)}`;
}
