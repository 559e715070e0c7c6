/** @jsxRuntime automatic @jsxImportSource preact */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { evaluationName } from '../../../text/figures.ts';
import type { DebateEntry, DebateOutcome, Verdict } from '../browsed-debate.ts';

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
