import type { Warning } from '../store/records/result.ts';
import { terminalSafe } from '../text/terminal-safe.ts';
import { wrapped } from '../text/wrapped.ts';
import { colours } from './terminal.ts';

/** The warnings about an experiment as one text for the terminal; none when there are none. */
export function warningsText(
  warnings: readonly Warning[],
  columns = process.stdout.columns || 100,
): string[] {
  if (warnings.length === 0) return [];
  const { yellow } = colours();
  const lines = warnings.flatMap(({ says, remedy }) =>
    wrapped(terminalSafe(`${says} ${remedy}`), columns - 4).map(
      (line, index) => `${index === 0 ? '  - ' : '    '}${line}`,
    ),
  );
  return [[yellow(warnings.length === 1 ? 'Warning:' : 'Warnings:'), ...lines].join('\n')];
}
