import { Connection } from '@temporalio/client';
import { searchAttributes } from '../workflows/search-attributes.ts';

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
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.values(searchAttributes).filter(
    ({ name }) => !Object.hasOwn(customAttributes ?? {}, name),
  );
  if (missing.length === 0) return;
  const types = Object.fromEntries(missing.map(({ name, type }) => [name, indexed[type]]));
  await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: types });
}

/** Of temporal.api.enums.v1.IndexedValueType. */
const indexed = { KEYWORD: 2, INT: 3 } as const;
