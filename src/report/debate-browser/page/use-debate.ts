import { useEffect, useState } from 'preact/hooks';
import type { BrowsedDebate } from '../browsed-debate.ts';
import type { DebateEntry } from '../debate-entry.ts';
import type { Library } from './library.ts';

/** The debate; why it cannot be read; undefined until either is known. The last one stays until the next one is there. */
export function useDebate(
  { readBlock }: Library,
  { block, line }: DebateEntry,
): BrowsedDebate | string | undefined {
  const [debate, setDebate] = useState<BrowsedDebate | string>();
  useEffect(() => {
    let left = false;
    const shown = (value: BrowsedDebate | string) => {
      if (!left) setDebate(value);
    };
    readBlock(block).then(
      (debates) => shown(debates[line] ?? 'it is not where it should be.'),
      (error: unknown) => shown(String(error)),
    );
    return () => {
      left = true;
    };
  }, [readBlock, block, line]);
  return debate;
}
