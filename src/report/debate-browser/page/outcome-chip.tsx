/** @jsxRuntime automatic @jsxImportSource preact */
import type { DebateOutcome } from '../debate-entry.ts';

const chips = {
  saved: { tone: 'right', label: '▲ saved' },
  spoilt: { tone: 'wrong', label: '▼ spoilt' },
  right: { tone: 'right', label: '✓ both right' },
  wrong: { tone: 'wrong', label: '✗ both wrong' },
} as const satisfies Record<DebateOutcome, object>;

/** What the debate did to the first vote, told by a sign and a word as well as by a colour. */
export function OutcomeChip({ outcome }: { outcome: DebateOutcome }) {
  const { tone, label } = chips[outcome];
  return <span class={`chip ${tone}`}>{label}</span>;
}
