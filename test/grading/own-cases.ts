import { readFileSync } from 'node:fs';

/** A test pair of the project, with answers as in responses, in the format that `colloquy grade` reads. */
export interface OwnCase {
  readonly kind: string;
  readonly gold: string;
  readonly answer: string;
  readonly equal: boolean;
}

/** All pairs of own-cases.jsonl. */
export const ownCases: readonly OwnCase[] = readFileSync(
  new URL('./own-cases.jsonl', import.meta.url),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line): OwnCase => JSON.parse(line));

/** The kinds of answers that have equal, or unequal, pairs. */
export function kinds(equal: boolean): string[] {
  return [...new Set(ownCases.filter((own) => own.equal === equal).map(({ kind }) => kind))];
}
