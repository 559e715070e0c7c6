import { Connection } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { searchAttributes } from '../workflows/server-names.ts';
import type { Telemetry } from '../observe/install-runtime.ts';

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
