/** @jsxRuntime automatic @jsxImportSource preact */
import type { RefObject } from 'preact';
import { useMemo } from 'preact/hooks';
import { count, evaluationName } from '../../format.ts';
import type { DebateEntry, DebateOutcome } from '../debate-entry.ts';
import { type Agreement, type Filter, filterCounts } from './filter.ts';

const outcomes: readonly { value: DebateOutcome; label: string; says: string }[] = [
  { value: 'saved', label: 'Saved', says: 'The first vote was wrong, the debate right' },
  { value: 'spoilt', label: 'Spoilt', says: 'The first vote was right, the debate wrong' },
  { value: 'right', label: 'Both right', says: 'The first vote and the debate were right' },
  { value: 'wrong', label: 'Both wrong', says: 'The first vote and the debate were wrong' },
];
const flags = [
  { value: 'tied', label: 'Tie', says: 'Several answers had the most votes at the end' },
  { value: 'unparsable', label: 'Unparsable', says: 'Some response had no answer that could be read' },
] as const;
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

/** What is listed: a text, an iteration, what the debate did. Each choice says how many debates it would list. */
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
        {outcomes.map(({ value, label, says }) => (
          <Toggle
            {...{ label, says, tone: value, amount: counts[value], on: filter.outcomes.includes(value) }}
            onToggle={() => setFilter({ ...filter, outcomes: toggled(value) })}
          />
        ))}
        {flags.map(({ value, label, says }) => (
          <Toggle
            {...{ label, says, tone: value, amount: counts[value], on: filter[value] }}
            onToggle={() => setFilter({ ...filter, [value]: !filter[value] })}
          />
        ))}
      </div>
    </search>
  );
}

type ToggleProps = {
  label: string;
  says: string;
  tone: string;
  amount: number;
  on: boolean;
  onToggle: () => void;
};

function Toggle({ label, says, tone, amount, on, onToggle }: ToggleProps) {
  return (
    <button type="button" class={`toggle ${tone}`} aria-pressed={on} title={says} onClick={onToggle}>
      {label} <span class="amount">{count(amount)}</span>
    </button>
  );
}
