import { InvalidConfig } from '../config/invalid-config.ts';
import type { ByText } from './by-text.ts';

/**
 * @param path of the setting that asks for them
 * @throws InvalidConfig with both numbers
 */
export function requireEnough(path: string, wanted = 1, { size }: ByText, from: string): void {
  if (size >= wanted) return;
  const message = `${wanted} questions were asked for, but ${from} has only ${size} that can be used`;
  throw new InvalidConfig([{ path, message }]);
}
