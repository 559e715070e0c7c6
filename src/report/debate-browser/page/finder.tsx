/** @jsxRuntime automatic @jsxImportSource preact */
/** How is a debate found: by choices and words, and in the list of those that match? */
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { count, evaluationName } from '../../../text/figures.ts';
import type { BrowsedSet, DebateEntry, DebateOutcome, Verdict } from '../browsed-debate.ts';
import { type Agreement, type Filter, filterCounts } from './library.ts';

const outcomes: readonly { value: DebateOutcome; label: string; hint: string }[] = [
  { value: 'saved', label: 'Saved', hint: 'The first vote was wrong, the debate right' },
  { value: 'spoilt', label: 'Spoilt', hint: 'The first vote was right, the debate wrong' },
  { value: 'right', label: 'Both right', hint: 'The first vote and the debate were right' },
  { value: 'wrong', label: 'Both wrong', hint: 'The first vote and the debate were wrong' },
];
const flags = [
  { value: 'tied', label: 'Tie', hint: 'Several answers had the most votes at the end' },
  { value: 'unparsable', label: 'Unparsable', hint: 'A response had no answer that could be read' },
  {
    value: 'cutOff',
    label: 'Cut off',
    hint: 'A response ended at max_tokens, not where the model would have ended it',
  },
] as const;
const sets: readonly { value: BrowsedSet; label: string }[] = [
  { value: 'heldout', label: 'Held-out questions' },
  { value: 'train', label: 'Training questions' },
];
const agreements: readonly { value: Agreement; label: string }[] = [
  { value: 'any', label: 'Agreeing or not' },
  { value: 'agreed', label: 'Agreed all along' },
  { value: 'differed', label: 'Differed at first' },
  { value: 'differed-to-the-end', label: 'Differed at the end' },
];

type FilterBarProps = {
  filter: Filter;
  setFilter: (filter: Filter) => void;
  query: string;
  setQuery: (query: string) => void;
  searchBox: RefObject<HTMLInputElement>;
  entries: readonly DebateEntry[];
  iterations: readonly number[];
};

/** Chooses which debates are listed: by a text, an iteration, what the debate did. Each choice shows how many debates it would list. */
export function FilterBar(props: FilterBarProps) {
  const { filter, setFilter, query, setQuery, searchBox, entries, iterations } = props;
  const counts = useMemo(() => filterCounts(entries, filter), [entries, filter]);
  const toggled = (value: DebateOutcome) =>
    filter.outcomes.includes(value)
      ? filter.outcomes.filter((each) => each !== value)
      : [...filter.outcomes, value];
  return (
    <search class="filters">
      <input
        ref={searchBox}
        type="search"
        aria-label="Search in questions, answers and all that was said"
        placeholder="Search all that was said  ( / )"
        value={query}
        onInput={(event) => setQuery(event.currentTarget.value)}
      />
      <div class="choices">
        {entries.some(({ set }) => set === 'train') && (
          <select
            aria-label="Questions"
            value={filter.set}
            onChange={({ currentTarget: { value } }) =>
              setFilter({ ...filter, set: value === 'train' ? 'train' : 'heldout', outcomes: [] })
            }
          >
            {sets.map(({ value, label }) => (
              <option value={value}>{label}</option>
            ))}
          </select>
        )}
        <select
          aria-label="Iteration"
          value={String(filter.iteration)}
          onChange={({ currentTarget: { value } }) =>
            setFilter({ ...filter, iteration: value === 'null' ? null : Number(value) })
          }
        >
          <option value="null">All iterations</option>
          {iterations.map((iteration) => (
            <option value={String(iteration)}>
              {iteration === 0 ? 'Base model' : evaluationName(iteration)}
            </option>
          ))}
        </select>
        <select
          aria-label="Agreement between the agents"
          value={filter.agreement}
          onChange={({ currentTarget: { value } }) =>
            setFilter({
              ...filter,
              agreement: agreements.find((each) => each.value === value)?.value ?? 'any',
            })
          }
        >
          {agreements.map(({ value, label }) => (
            <option value={value}>{label}</option>
          ))}
        </select>
      </div>
      <div class="toggles" role="group" aria-label="What the debate did">
        {(filter.set === 'heldout' ? outcomes : []).map(({ value, label, hint }) => (
          <Toggle
            {...{ label, hint, tone: value, amount: counts[value], on: filter.outcomes.includes(value) }}
            onToggle={() => setFilter({ ...filter, outcomes: toggled(value) })}
          />
        ))}
        {flags.map(({ value, label, hint }) => (
          <Toggle
            {...{ label, hint, tone: value, amount: counts[value], on: filter[value] }}
            onToggle={() => setFilter({ ...filter, [value]: !filter[value] })}
          />
        ))}
      </div>
    </search>
  );
}

type ToggleProps = {
  label: string;
  hint: string;
  tone: string;
  amount: number;
  on: boolean;
  onToggle: () => void;
};

function Toggle({ label, hint, tone, amount, on, onToggle }: ToggleProps) {
  return (
    <button type="button" class={`toggle ${tone}`} aria-pressed={on} title={hint} onClick={onToggle}>
      {label} <span class="amount">{count(amount)}</span>
    </button>
  );
}

/** In pixels, as in browser.css: the height of rows that are not drawn has to be known too. */
const rowHeight = 76;

type DebateListProps = {
  entries: readonly DebateEntry[];
  selected: DebateEntry | undefined;
  onSelect: (entry: DebateEntry) => void;
};

/** The list of debates. Only the visible rows are in the page, so that there may be any number. */
export function DebateList({ entries, selected, onSelect }: DebateListProps) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<View>({ top: 0, height: 0 });
  const look = () => {
    if (box.current !== null) setView({ top: box.current.scrollTop, height: box.current.clientHeight });
  };
  useEffect(() => {
    if (box.current === null) return undefined;
    const watch = new ResizeObserver(look);
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const at = selected === undefined ? -1 : entries.indexOf(selected);
  useLayoutEffect(() => {
    const list = box.current;
    if (list === null || at === -1) return;
    list.scrollTop = scrolledTo(at, rowHeight, { top: list.scrollTop, height: list.clientHeight });
    look();
  }, [at]);
  const { from, to } = visibleRows(entries.length, rowHeight, view);
  return (
    <div
      class="list"
      ref={box}
      onScroll={look}
      role="listbox"
      tabIndex={0}
      aria-label="Debates"
      {...(at === -1 ? {} : { 'aria-activedescendant': `row-${at}` })}
    >
      <div class="rows" style={{ height: `${entries.length * rowHeight}px` }}>
        {entries.slice(from, to).map((entry, index) => (
          <Row
            key={`${entry.iteration}/${entry.id}`}
            {...{ entry, onSelect, place: from + index, of: entries.length, selected: entry === selected }}
          />
        ))}
      </div>
    </div>
  );
}

type RowProps = {
  entry: DebateEntry;
  place: number;
  of: number;
  selected: boolean;
  onSelect: (entry: DebateEntry) => void;
};

function Row({ entry, place, of, selected, onSelect }: RowProps) {
  const { id, iteration, question, gold, first, last, outcome, tied, unparsable, cutOff } = entry;
  return (
    <div
      class="row"
      id={`row-${place}`}
      role="option"
      aria-selected={selected}
      aria-posinset={place + 1}
      aria-setsize={of}
      style={{ transform: `translateY(${place * rowHeight}px)` }}
      onClick={() => onSelect(entry)}
    >
      <div class="line">
        <OutcomeChip outcome={outcome} />
        {tied && <span class="chip tied">tie</span>}
        {unparsable && <span class="chip">unparsable</span>}
        {cutOff && <span class="chip tied">cut off</span>}
        <span class="place">
          {id} · {evaluationName(iteration)}
        </span>
      </div>
      <div class="asked">{question}</div>
      <div class="votes">
        {gold === null ? '' : `gold ${gold} · `}vote {first ?? 'none'} → {last ?? 'none'}
      </div>
    </div>
  );
}

/** The visible part of a long list, in pixels. */
export type View = { readonly top: number; readonly height: number };

/** Of `count` rows of equal height, the first to draw and the one after the last: the visible rows and `spare` more on either side. */
export function visibleRows(count: number, rowHeight: number, { top, height }: View, spare = 6) {
  const from = Math.floor(top / rowHeight) - spare;
  const to = Math.ceil((top + height) / rowHeight) + spare;
  return { from: Math.max(0, Math.min(from, count)), to: Math.max(0, Math.min(to, count)) };
}

/** Where to scroll so that a whole row is visible; the current place when it already is. */
export function scrolledTo(row: number, rowHeight: number, { top, height }: View): number {
  const start = row * rowHeight;
  if (start < top) return start;
  return Math.max(top, start + rowHeight - height);
}

const signs = {
  right: { sign: '✓', label: 'right' },
  wrong: { sign: '✗', label: 'wrong' },
  unknown: { sign: '?', label: 'not graded' },
  agrees: { sign: '=', label: 'equals the consensus' },
  differs: { sign: '≠', label: 'differs from the consensus' },
} as const satisfies Record<Verdict, object>;

/** An answer and whether it is right, by a sign as well as by a colour. */
export function AnswerChip({ answer, verdict }: { answer: string | null; verdict: Verdict }) {
  const { sign, label } = signs[verdict];
  return (
    <span class={`chip ${verdict}`}>
      <span role="img" aria-label={label}>
        {sign}
      </span>{' '}
      {answer ?? 'none readable'}
    </span>
  );
}

const chips = {
  saved: { tone: 'right', label: '▲ saved' },
  spoilt: { tone: 'wrong', label: '▼ spoilt' },
  right: { tone: 'right', label: '✓ both right' },
  wrong: { tone: 'wrong', label: '✗ both wrong' },
} as const satisfies Record<DebateOutcome, object>;

/** What the debate did to the first vote, by a sign and a word as well as by a colour. */
export function OutcomeChip({ outcome }: { outcome: DebateOutcome | null }) {
  if (outcome === null) return <span class="chip">training</span>;
  const { tone, label } = chips[outcome];
  return <span class={`chip ${tone}`}>{label}</span>;
}
