/** @jsxRuntime automatic @jsxImportSource preact */
/** The program of debates.html: the list of debates and the one that is open, by the address, by a search and by the keyboard. */
import { type RefObject, render } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { count } from '../../../text/figures.ts';
import type { DebateEntry } from '../browsed-debate.ts';
import { DebateList, FilterBar } from './finder.tsx';
import {
  addressOf,
  type Filter,
  hashOf,
  type Library,
  openLibrary,
  passes,
  search,
  type SearchStep,
} from './library.ts';
import { DebateView } from './view.tsx';

const root = document.getElementById('app');
if (root !== null) void show(root);

async function show(place: HTMLElement): Promise<void> {
  try {
    const library = await openLibrary({
      about: textsOf('about')[0]?.() ?? '',
      entries: textsOf('entries').map((text) => text()),
      debates: textsOf('debates'),
    });
    document.title = `Debates of ${library.about.experiment} · Colloquy`;
    place.replaceChildren();
    render(<App library={library} />, place);
  } catch (error) {
    place.textContent = `The debates cannot be unpacked: the file is damaged or cut off, or this browser is older than 2023. (${String(error)})`;
  }
}

function textsOf(kind: string): (() => string)[] {
  return [...document.querySelectorAll(`script.${kind}`)].map((block) => () => block.textContent ?? '');
}

/** The page: the filters and the search, the list of debates that match, and the debate that is read. */
export function App({ library }: { library: Library }) {
  const { about, entries } = library;
  const { selected, select } = useSelection(entries);
  const [filter, setFilter] = useState<Filter>(() => ({
    set: selected?.set ?? 'heldout',
    iteration: selected?.iteration ?? about.iterations.at(-1) ?? null,
    outcomes: [],
    tied: false,
    unparsable: false,
    cutOff: false,
    agreement: 'any',
  }));
  const [query, setQuery] = useState('');
  const searchBox = useRef<HTMLInputElement>(null);
  const candidates = useMemo(() => entries.filter((entry) => passes(entry, filter)), [entries, filter]);
  const { found, progress } = useSearch(query, candidates, library.readBlock);
  const listed = useMemo(
    () => (found === null ? candidates : candidates.filter((entry) => found.has(entry))),
    [candidates, found],
  );
  const step = (by: number) => select(neighbour(listed, selected, by), 'replace');
  useKeys(searchBox, {
    step,
    leave: () => (query === '' ? select(undefined) : setQuery('')),
  });

  return (
    <main class={selected === undefined ? 'browser' : 'browser reading'}>
      <header>
        <h1>Debates of {about.experiment}</h1>
        <a href="report.html">Report</a>
      </header>
      <section class="finder" aria-label="Find debates">
        <FilterBar
          {...{ filter, setFilter, query, setQuery, searchBox, entries, iterations: about.iterations }}
        />
        {progress !== null && (
          <progress aria-label="Full-text search" value={progress.done} max={progress.of} />
        )}
        <p class="found" role="status">
          {`${count(listed.length)} of ${count(entries.length)} debates`}
          {progress !== null && ', searching …'}
          {progress === null && listed.length === 0 && ': none matches. Remove a filter or clear the search.'}
        </p>
        {about.missing.length > 0 && (
          <details class="missing">
            <summary>Not all debates are in this file</summary>
            <ul>
              {about.missing.map((sentence) => (
                <li>{sentence}</li>
              ))}
            </ul>
          </details>
        )}
        <DebateList entries={listed} selected={selected} onSelect={(entry) => select(entry)} />
      </section>
      {selected === undefined ? (
        <section class="debate empty" aria-label="Debate">
          <p>Choose a debate on the left to read it.</p>
          <p class="keys">
            <kbd>↑</kbd> <kbd>↓</kbd> go through the list · <kbd>/</kbd> search · <kbd>Esc</kbd> back
          </p>
        </section>
      ) : (
        <DebateView {...{ library, entry: selected, query, step }} close={() => select(undefined)} />
      )}
    </main>
  );
}

/** The next or the previous debate of the list; the first one when the debate that is read is not in it. */
function neighbour(
  listed: readonly DebateEntry[],
  selected: DebateEntry | undefined,
  by: number,
): DebateEntry | undefined {
  const exact = selected === undefined ? -1 : listed.indexOf(selected);
  // The debate may be of another iteration than the list: then go on from the same question.
  const at = exact === -1 ? listed.findIndex(({ id }) => id === selected?.id) : exact;
  return at === -1 ? (listed[0] ?? selected) : (listed[at + by] ?? selected);
}

/**
 * The debate that is read. The page's address names it, so that it can be linked to and the browser's Back button leaves it.
 *
 * @returns `select`, which adds an entry to the browser's history, or replaces the last one
 */
function useSelection(entries: readonly DebateEntry[]) {
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

type Searched = {
  /** Null when there is no query. */
  readonly found: ReadonlySet<DebateEntry> | null;
  /** Null when the search is over. */
  readonly progress: Pick<SearchStep, 'done' | 'of'> | null;
};

const idle: Searched = { found: null, progress: null };

/** Searches after typing has paused, and returns what was found so far. Another query, or other candidates, end the search. */
function useSearch(
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
function useKeys(searchBox: RefObject<HTMLInputElement>, actions: Actions): void {
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
