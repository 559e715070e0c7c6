import type { RefObject } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { BrowsedDebate, DebateEntry } from '../browsed-debate.ts';
import { addressOf, hashOf, type Library, search, type SearchStep } from './library.ts';

/**
 * The debate that is read. The page's address names it, so that it can be linked to and the browser's Back button leaves it.
 *
 * @returns `select`, which adds an entry to the browser's history, or replaces the last one
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

/** The debate, or why it cannot be read; undefined while it is read. The previous debate stays until the next one is there. */
export function useDebate(
  { readBlock }: Library,
  { block, line }: DebateEntry,
): BrowsedDebate | string | undefined {
  const [debate, setDebate] = useState<BrowsedDebate | string>();
  useEffect(() => {
    let left = false;
    const shown = (value: BrowsedDebate | string) => {
      if (!left) setDebate(value);
    };
    readBlock(block).then(
      (debates) => shown(debates[line] ?? 'it is not where it should be.'),
      (error: unknown) => shown(String(error)),
    );
    return () => {
      left = true;
    };
  }, [readBlock, block, line]);
  return debate;
}

type Searched = {
  /** Null when there is no query. */
  readonly found: ReadonlySet<DebateEntry> | null;
  /** Null when the search is over. */
  readonly progress: Pick<SearchStep, 'done' | 'of'> | null;
};

const idle: Searched = { found: null, progress: null };

/** Searches after typing has paused, and returns what was found so far. Another query, or other candidates, end the search. */
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

type Actions = { readonly step: (by: number) => void; readonly leave: () => void };

/**
 * The page's keys: up and down go through the list, `/` goes to the search, Esc clears the search or closes the debate. In a list of choices
 * and in a debate, up and down keep their usual meaning.
 */
export function useKeys(searchBox: RefObject<HTMLInputElement>, actions: Actions): void {
  const current = useRef(actions);
  current.current = actions;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const within = event.target instanceof Element ? event.target : document.body;
      const typing = within === searchBox.current;
      if (event.key === 'Escape') {
        if (typing) searchBox.current?.blur();
        current.current.leave();
      } else if (event.key === '/' && !typing) {
        event.preventDefault();
        searchBox.current?.focus();
      } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        if (within.closest('select, .debate') !== null) return;
        event.preventDefault();
        current.current.step(event.key === 'ArrowDown' ? 1 : -1);
      }
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [searchBox]);
}
