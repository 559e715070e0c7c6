import { inject } from 'vitest';

/**
 * Address (`127.0.0.1:PORT`) of the Temporal dev server that all test files share; starts it when nobody did before. Use
 * task queues and workflow ids of your own: other files use the server at the same time.
 */
export async function temporalAddress(): Promise<string> {
  const response = await fetch(inject('temporalDoor'));
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}
