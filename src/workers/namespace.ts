import { Connection } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { ColloquyError, exitCodes } from '../errors.ts';
import type { Telemetry } from '../observe/install-runtime.ts';
import { searchAttributes } from '../workflows/track-progress.ts';

/**
 * Asks the server for the namespace before anything is started: a worker of a namespace that is not there would keep asking for work.
 * A server that does not answer this question, or not to this user, is left to the workers.
 *
 * @throws NamespaceMissing
 */
export async function requireNamespace(connection: NativeConnection, namespace: string): Promise<void> {
  try {
    await connection.workflowService.describeNamespace({ namespace });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === notFound)
      throw new NamespaceMissing(namespace);
  }
}

/**
 * Asks again and again while workers run, because Temporal's core keeps asking for work even when the server has refused it for good. A refusal
 * is final once it has come three times in a row: a dev server that starts again does not know its namespaces for a moment.
 *
 * @param onFinal is called at most once
 * @returns ends the watch
 */
export function watchNamespace(
  { workflowService }: Pick<NativeConnection, 'workflowService'>,
  namespace: string,
  onFinal: (error: ColloquyError) => void,
): () => void {
  let refusals = 0;
  // A key that may work but not ask for namespaces is refused from the beginning.
  let wasAllowed = false;
  const look = async (): Promise<void> => {
    try {
      await workflowService.describeNamespace({ namespace });
      wasAllowed = true;
      refusals = 0;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      const final =
        code === notFound || (wasAllowed && (code === permissionDenied || code === unauthenticated));
      refusals = final ? refusals + 1 : 0;
      if (refusals !== finalRefusals) return;
      clearInterval(timer);
      onFinal(code === notFound ? new NamespaceMissing(namespace) : new WorkerRefused(namespace, error));
    }
  };
  const timer = setInterval(() => void look(), everyMs);
  return () => clearInterval(timer);
}

const everyMs = 3_000;
const finalRefusals = 3;

/** Of grpc.status. */
const notFound = 5;
const permissionDenied = 7;
const unauthenticated = 16;

/** The server has no namespace of the name that the environment or the profile gives. */
export class NamespaceMissing extends ColloquyError {
  override name = 'NamespaceMissing' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(namespace: string) {
    super(
      `The Temporal server has no namespace ${JSON.stringify(namespace)}. Name another one (TEMPORAL_NAMESPACE, or the profile), ` +
        `or create it: temporal operator namespace create --namespace ${namespace}`,
    );
  }
}

/** The server no longer accepts this worker's credentials. */
export class WorkerRefused extends ColloquyError {
  override name = 'WorkerRefused' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(namespace: string, cause: unknown) {
    super(
      `The Temporal server refuses this worker in the namespace ${JSON.stringify(namespace)} (${cause instanceof Error ? cause.message : String(cause)}). ` +
        'Give it a key or a certificate that may work there (TEMPORAL_API_KEY, TEMPORAL_TLS_*, or the profile), and start it again.',
      { cause },
    );
  }
}

/**
 * Whether runs that begin on this worker set search attributes: the environment wants it, and the namespace knows them. To set one that
 * is not registered would fail a run's every attempt to go on, so then they are left out, with a warning in the log.
 */
export async function setsSearchAttributes(
  { settings, log }: Telemetry,
  connection: NativeConnection,
  namespace: string,
): Promise<boolean> {
  if (!settings.searchAttributes) return false;
  const missing = await whatIsMissing(connection, namespace);
  if (missing !== undefined) log.warn({ missing }, 'search attributes are not set');
  return missing === undefined;
}

async function whatIsMissing(connection: NativeConnection, namespace: string): Promise<string | undefined> {
  try {
    const missing = await missingSearchAttributes(connection, namespace);
    return missing.length === 0
      ? undefined
      : `${missing.map(({ name }) => name).join(', ')} not registered in ${namespace}; to do it: ${registerCommand} --namespace ${namespace}`;
  } catch (error) {
    return `the server does not say whether they are registered (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** The types as the `temporal` command names them. */
export const cliTypes = { KEYWORD: 'Keyword', INT: 'Int', DOUBLE: 'Double' } as const;

/** Makes them known to a namespace; `colloquy dev` has done it. */
const registerCommand = [
  'temporal operator search-attribute create',
  ...Object.values(searchAttributes).map(({ name, type }) => `--name ${name} --type ${cliTypes[type]}`),
].join(' ');

type SearchAttribute = (typeof searchAttributes)[keyof typeof searchAttributes];

/** Those of Colloquy's search attributes that a namespace does not know. */
export async function missingSearchAttributes(
  { operatorService }: Pick<Connection, 'operatorService'>,
  namespace: string,
): Promise<SearchAttribute[]> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  return Object.values(searchAttributes).filter(({ name }) => !Object.hasOwn(customAttributes ?? {}, name));
}

/** Makes Colloquy's search attributes known to a namespace that does not know them yet. */
export async function registerSearchAttributes(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address });
  try {
    await registerMissing(connection, namespace);
  } finally {
    await connection.close();
  }
}

async function registerMissing(connection: Connection, namespace: string): Promise<void> {
  const missing = await missingSearchAttributes(connection, namespace);
  if (missing.length === 0) return;
  const types = Object.fromEntries(missing.map(({ name, type }) => [name, indexed[type]]));
  await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: types });
}

/** Of temporal.api.enums.v1.IndexedValueType. */
const indexed = { KEYWORD: 2, INT: 3, DOUBLE: 4 } as const;
