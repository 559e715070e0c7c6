import { createHash } from 'node:crypto';

/** A text without what makes no other question of it: white space trimmed and collapsed, case folded. */
export function normalisedText(text: string): string {
  return text.trim().replace(/\s+/g, ' ').toLowerCase();
}

/** Names a question by its normalised text, in 16 hexadecimal digits: what a series keeps of the questions that it has asked. */
export function questionKey(text: string): string {
  return createHash('sha256').update(normalisedText(text)).digest('hex').slice(0, 16);
}
