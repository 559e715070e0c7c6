/** @jsxRuntime automatic @jsxImportSource preact */
import type { Verdict } from '../../verdict.ts';

const signs = {
  right: { sign: '✓', label: 'right' },
  wrong: { sign: '✗', label: 'wrong' },
  unknown: { sign: '?', label: 'not graded' },
} as const satisfies Record<Verdict, object>;

/** An answer and whether it is right, told by a sign as well as by a colour. */
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
