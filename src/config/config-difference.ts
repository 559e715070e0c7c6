import { isConfigInput } from './merge-config.ts';

/** A setting that two configs do not share. A side that lacks it has undefined. */
export type Difference = { readonly path: string; readonly before: unknown; readonly after: unknown };

/** The settings in which two configs differ, by path in dots; lists are compared as a whole. */
export function configDifference(before: unknown, after: unknown): Difference[] {
  return differences('', before, after);
}

function differences(path: string, before: unknown, after: unknown): Difference[] {
  if (isConfigInput(before) && isConfigInput(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
    return keys.flatMap((key) => differences(path === '' ? key : `${path}.${key}`, before[key], after[key]));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}
