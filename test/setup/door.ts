import { inject } from 'vitest';

/** What the whole test run shares, made when the first test file asks for it: see shared-by-all.ts. */
export async function askDoor(what: 'temporal-address' | 'workflow-code'): Promise<string> {
  const response = await fetch(new URL(what, inject('door')));
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}
