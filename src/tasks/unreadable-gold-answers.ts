/** A gold answer that the grader cannot read. `line` is its line or Parquet row in the file; the first is 1. */
export type UnreadableGold = { readonly line: number; readonly answer: string; readonly why: string };

/** Questions whose gold answers the grader cannot read: no answer to them could be called right, so they would measure nothing. */
export class UnreadableGoldAnswers extends Error {
  override name = 'UnreadableGoldAnswers' as const;
  /** Absolute. */
  readonly path: string;
  readonly unreadable: readonly UnreadableGold[];

  constructor(path: string, unreadable: readonly UnreadableGold[], questions: number) {
    const unit = path.endsWith('.parquet') ? 'row' : 'line';
    const told = unreadable
      .slice(0, mostTold)
      .map(({ line, answer, why }) => `  ${unit} ${line}: ${shown(answer)}: ${why}`);
    const more = unreadable.length > mostTold ? [`  … and ${unreadable.length - mostTold} more`] : [];
    super(
      `The grader cannot read ${unreadable.length} of the ${questions} gold answers of ${path}:\n${[...told, ...more].join('\n')}\n` +
        'Correct them, or leave these questions out with task.skip_unreadable: true.',
    );
    this.path = path;
    this.unreadable = unreadable;
  }
}

const mostTold = 10;

function shown(answer: string): string {
  return JSON.stringify(answer.length > 60 ? `${answer.slice(0, 59)}…` : answer);
}
