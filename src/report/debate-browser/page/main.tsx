/** @jsxRuntime automatic @jsxImportSource preact */
import { render } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import { count } from '../../../text/figures.ts';
import type { DebateEntry } from '../browsed-debate.ts';
import { type Filter, FilterBar, passes } from './filter.tsx';
import { useKeys, useSearch, useSelection } from './hooks.ts';
import { type Library, openLibrary } from './library.ts';
import { DebateList } from './list.tsx';
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
