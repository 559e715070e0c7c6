import type { NativeConnection } from '@temporalio/worker';
import type { Telemetry } from './install-runtime.ts';
import { missingSearchAttributes } from './missing-search-attributes.ts';

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

/** Makes them known to a namespace; `colloquy dev` has done it. */
const registerCommand = [
  'temporal operator search-attribute create',
  '--name ColloquyState --type Keyword --name ColloquyPhase --type Keyword --name ColloquyIteration --type Int',
].join(' ');
