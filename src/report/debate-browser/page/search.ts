import type { BrowsedDebate } from '../browsed-debate.ts';
import type { DebateEntry } from '../debate-entry.ts';

export type SearchStep = {
  /** Blocks that were looked through, of so many. */
  readonly done: number;
  readonly of: number;
  /** What this step found. */
  readonly found: readonly DebateEntry[];
};

/**
 * Looks for a text, whatever the case of its letters, in all that was asked and said in the given debates, block after block.
 * What agents were shown is looked through only where it is a summary: else it is what the others said.
 *
 * @param readBlock the debates of a block
 */
export async function* search(
  query: string,
  entries: readonly DebateEntry[],
  readBlock: (block: number) => Promise<readonly BrowsedDebate[]>,
): AsyncGenerator<SearchStep> {
  const wanted = byBlock(entries);
  const needle = query.toLowerCase();
  let done = 0;
  for (const [block, ofBlock] of wanted) {
    const debates = await readBlock(block);
    const found = ofBlock.filter((entry) => {
      const debate = debates[entry.line];
      return debate !== undefined && textsOf(entry, debate).some((text) => holds(text, needle));
    });
    done += 1;
    yield { done, of: wanted.size, found };
  }
}

function byBlock(entries: readonly DebateEntry[]): Map<number, DebateEntry[]> {
  const blocks = new Map<number, DebateEntry[]>();
  for (const entry of entries) {
    const ofBlock = blocks.get(entry.block);
    if (ofBlock === undefined) blocks.set(entry.block, [entry]);
    else ofBlock.push(entry);
  }
  return blocks;
}

function textsOf({ id }: DebateEntry, { question, gold, rounds }: BrowsedDebate): string[] {
  const said = rounds
    .flat()
    .flatMap(({ shown, response, answer }) => [
      response,
      ...(answer === null ? [] : [answer]),
      ...(shown?.summary === true ? [shown.text] : []),
    ]);
  return [id, question, gold, ...said];
}

function holds(text: string, needle: string): boolean {
  return text.toLowerCase().includes(needle);
}
