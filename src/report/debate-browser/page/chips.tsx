/** @jsxRuntime automatic @jsxImportSource preact */
import type { DebateOutcome, Verdict } from '../browsed-debate.ts';

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

/** @jsxRuntime automatic @jsxImportSource preact */
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
