/** @jsxRuntime automatic @jsxImportSource preact */
import type { RefObject } from 'preact';
import { useMemo } from 'preact/hooks';
import { count, evaluationName } from '../../../text/figures.ts';
import type { BrowsedSet, DebateEntry, DebateOutcome } from '../browsed-debate.ts';

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

/** Which debates are listed. */
export type Filter = {
  readonly set: BrowsedSet;
  /** Null for all iterations. */
  readonly iteration: number | null;
  /** Any of these; all outcomes when it is empty. */
  readonly outcomes: readonly DebateOutcome[];
  readonly tied: boolean;
  readonly unparsable: boolean;
  readonly cutOff: boolean;
  readonly agreement: Agreement;
};
/** Whether the agents' answers differed after round 1, still at the end, or never. */
export type Agreement = 'any' | 'agreed' | 'differed' | 'differed-to-the-end';

export function passes(entry: DebateEntry, filter: Filter): boolean {
  return (
    entry.set === filter.set &&
    (filter.iteration === null || entry.iteration === filter.iteration) &&
    (filter.outcomes.length === 0 || (entry.outcome !== null && filter.outcomes.includes(entry.outcome))) &&
    (!filter.tied || entry.tied) &&
    (!filter.unparsable || entry.unparsable) &&
    (!filter.cutOff || entry.cutOff) &&
    agrees(entry, filter.agreement)
  );
}

function agrees(entry: DebateEntry, agreement: Agreement): boolean {
  switch (agreement) {
    case 'agreed':
      return !entry.differedFirst && !entry.differedLast;
    case 'differed':
      return entry.differedFirst;
    case 'differed-to-the-end':
      return entry.differedLast;
    case 'any':
    default:
      agreement satisfies 'any';
      return true;
  }
}

export type FilterCounts = Readonly<Record<DebateOutcome | 'tied' | 'unparsable' | 'cutOff', number>>;

/** How many debates each choice would list while the other choices stay the same. */
export function filterCounts(entries: readonly DebateEntry[], filter: Filter): FilterCounts {
  const counts = { saved: 0, spoilt: 0, right: 0, wrong: 0, tied: 0, unparsable: 0, cutOff: 0 };
  const ofAnyOutcome: Filter = { ...filter, outcomes: [] };
  for (const entry of entries) {
    if (entry.outcome !== null && passes(entry, ofAnyOutcome)) counts[entry.outcome] += 1;
    if (entry.tied && passes(entry, filter)) counts.tied += 1;
    if (entry.unparsable && passes(entry, filter)) counts.unparsable += 1;
    if (entry.cutOff && passes(entry, filter)) counts.cutOff += 1;
  }
  return counts;
}
