import { useEffect, useState } from 'preact/hooks';
import type { DebateEntry } from '../debate-entry.ts';
import type { Library } from './library.ts';
import { search, type SearchStep } from './search.ts';

type Searched = {
  /** Null when nothing is looked for. */
  readonly found: ReadonlySet<DebateEntry> | null;
  /** Null when the search is over. */
  readonly progress: Pick<SearchStep, 'done' | 'of'> | null;
};

const idle: Searched = { found: null, progress: null };

/** Searches once typing has paused, and shows what was found so far. Another query, or other candidates, end the search. */
export function useSearch(
  query: string,
  candidates: readonly DebateEntry[],
  readBlock: Library['readBlock'],
): Searched {
  const [searched, setSearched] = useState(idle);
  useEffect(() => {
    if (query === '') {
      setSearched(idle);
      return undefined;
    }
    let over = false;
    const run = async (): Promise<void> => {
      const found = new Set<DebateEntry>();
      setSearched({ found, progress: { done: 0, of: 1 } });
      for await (const step of search(query, candidates, readBlock)) {
        if (over) return;
        for (const entry of step.found) found.add(entry);
        setSearched({ found: new Set(found), progress: step.done < step.of ? step : null });
      }
      if (candidates.length === 0) setSearched({ found, progress: null });
    };
    const typed = setTimeout(() => void run(), 150);
    return () => {
      over = true;
      clearTimeout(typed);
    };
  }, [query, candidates, readBlock]);
  return searched;
}
