import type { DebateEntry, DebateOutcome } from '../debate-entry.ts';

/** Which debates are listed. */
export type Filter = {
  /** Null: of all iterations. */
  readonly iteration: number | null;
  /** Any of these; none chosen means any at all. */
  readonly outcomes: readonly DebateOutcome[];
  readonly tied: boolean;
  readonly unparsable: boolean;
  readonly agreement: Agreement;
};
/** Whether the agents' answers differed: after round 1, still at the end, or in neither. */
export type Agreement = 'any' | 'agreed' | 'differed' | 'differed-to-the-end';

export function passes(entry: DebateEntry, filter: Filter): boolean {
  return (
    (filter.iteration === null || entry.iteration === filter.iteration) &&
    (filter.outcomes.length === 0 || filter.outcomes.includes(entry.outcome)) &&
    (!filter.tied || entry.tied) &&
    (!filter.unparsable || entry.unparsable) &&
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

export type FilterCounts = Readonly<Record<DebateOutcome | 'tied' | 'unparsable', number>>;

/** How many debates each choice would list, the other choices staying as they are. */
export function filterCounts(entries: readonly DebateEntry[], filter: Filter): FilterCounts {
  const counts = { saved: 0, spoilt: 0, right: 0, wrong: 0, tied: 0, unparsable: 0 };
  const ofAnyOutcome: Filter = { ...filter, outcomes: [] };
  for (const entry of entries) {
    if (passes(entry, ofAnyOutcome)) counts[entry.outcome] += 1;
    if (entry.tied && passes(entry, filter)) counts.tied += 1;
    if (entry.unparsable && passes(entry, filter)) counts.unparsable += 1;
  }
  return counts;
}
