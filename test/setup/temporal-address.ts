import { askDoor } from './door.ts';

/**
 * Address (`127.0.0.1:PORT`) of the Temporal dev server that all test files share; the first to ask has it started. Use task queues and
 * workflow ids of your own: other files use the server at the same time.
 */
export async function temporalAddress(): Promise<string> {
  return askDoor('temporal-address');
}
