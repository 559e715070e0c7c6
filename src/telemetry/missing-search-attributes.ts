import type { Connection } from '@temporalio/client';
import { searchAttributes } from '../workflows/search-attributes.ts';

type SearchAttribute = (typeof searchAttributes)[keyof typeof searchAttributes];

/** Those of Colloquy's search attributes that a namespace does not know. */
export async function missingSearchAttributes(
  { operatorService }: Pick<Connection, 'operatorService'>,
  namespace: string,
): Promise<SearchAttribute[]> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  return Object.values(searchAttributes).filter(({ name }) => !Object.hasOwn(customAttributes ?? {}, name));
}
