import type { DebateEntry } from '../debate-entry.ts';

/** Which debate an address names, as in `debates.html#i2/heldout-00017`. */
export type Address = Pick<DebateEntry, 'iteration' | 'id'>;

export function hashOf({ iteration, id }: Address): string {
  return `#i${iteration}/${encodeURIComponent(id)}`;
}

/** Undefined when the hash names no debate. */
export function addressOf(hash: string): Address | undefined {
  const parts = /^#i(\d+)\/(.+)$/.exec(hash);
  try {
    return parts === null
      ? undefined
      : { iteration: Number(parts[1]), id: decodeURIComponent(parts[2] ?? '') };
  } catch {
    return undefined;
  }
}
