import { Connection } from '@temporalio/client';
import { missingSearchAttributes } from '../telemetry/missing-search-attributes.ts';

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
const indexed = { KEYWORD: 2, INT: 3 } as const;
