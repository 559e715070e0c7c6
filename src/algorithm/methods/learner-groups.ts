import type { Learning } from './method.ts';

/** Who shares models: each agent has its own, or all agents have the same. By agent number; one set of datasets and fine-tunes for each. */
export function learnerGroups(
  agents: number,
  learning: Learning | undefined,
): readonly (readonly number[])[] {
  const numbers = Array.from({ length: agents }, (_, index) => index + 1);
  if (learning === undefined) return [];
  return learning.models === 'each agent' ? numbers.map((number) => [number]) : [numbers];
}
