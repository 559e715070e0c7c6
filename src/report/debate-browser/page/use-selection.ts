import { useCallback, useEffect, useState } from 'preact/hooks';
import type { DebateEntry } from '../debate-entry.ts';
import { addressOf, hashOf } from './address.ts';

/**
 * The debate that is read. The page's address names it, so that it can be linked to, and the browser's Back leaves it.
 *
 * @returns `select`, which makes a new entry of the browser's history, or replaces the last one
 */
export function useSelection(entries: readonly DebateEntry[]) {
  const [selected, setSelected] = useState(() => named(entries, location.hash));
  useEffect(() => {
    const follow = () => setSelected(named(entries, location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, [entries]);
  const select = useCallback((entry: DebateEntry | undefined, how: 'push' | 'replace' = 'push') => {
    const hash = entry === undefined ? '#' : hashOf(entry);
    if (how === 'push') history.pushState(null, '', hash);
    else history.replaceState(null, '', hash);
    setSelected(entry);
  }, []);
  return { selected, select };
}

function named(entries: readonly DebateEntry[], hash: string): DebateEntry | undefined {
  const address = addressOf(hash);
  return entries.find(({ iteration, id }) => iteration === address?.iteration && id === address.id);
}
