import type { About } from '../about.ts';
import type { BrowsedDebate } from '../browsed-debate.ts';
import type { DebateEntry } from '../debate-entry.ts';
import { unpack } from './unpack.ts';

/** The packed blocks of a page, in their order. */
export type PackedBlocks = {
  readonly about: string;
  readonly entries: readonly string[];
  /** Read when needed: there are many. */
  readonly debates: readonly (() => string)[];
};

/** All debates of a page: the list is at hand, the debates are unpacked when asked for. */
export type Library = {
  readonly about: About;
  /** By iteration, and then in the order of the questions. */
  readonly entries: readonly DebateEntry[];
  /** @throws when the block is damaged */
  readonly readBlock: (block: number) => Promise<readonly BrowsedDebate[]>;
};

export async function openLibrary(blocks: PackedBlocks): Promise<Library> {
  const [about] = await unpackJson<About>(blocks.about);
  if (about === undefined) throw new Error('The page does not say what it is about.');
  // The next debate that is asked for is mostly in the same block.
  let last: { block: number; debates: Promise<BrowsedDebate[]> } | undefined;
  const entries = (await Promise.all(blocks.entries.map(unpackJson<DebateEntry>))).flat();
  return {
    about,
    entries: entries.toSorted((a, b) => a.iteration - b.iteration),
    readBlock: (block) => {
      if (last?.block !== block)
        last = { block, debates: unpackJson<BrowsedDebate>(blocks.debates[block]?.() ?? '') };
      return last.debates;
    },
  };
}

/** The writer's own types come back: no schema is shipped with the page. */
async function unpackJson<Row>(packed: string): Promise<Row[]> {
  return (await unpack(packed)).map((line): Row => JSON.parse(line));
}
