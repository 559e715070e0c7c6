/** Which debates does a page have, and which of them are asked for: by their address, by a filter, by a search? */
import type { About, BrowsedDebate, BrowsedSet, DebateEntry, DebateOutcome } from '../browsed-debate.ts';

/** The packed blocks of a page, in their order. */
export type PackedBlocks = {
  readonly about: string;
  readonly entries: readonly string[];
  /** Read when needed: there are many. */
  readonly debates: readonly (() => string)[];
};

/** All debates of a page. The list is unpacked at once, the debates when they are needed. */
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
  // The next debate that is read is mostly in the same block.
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

/** Trusts the writer's types: the page ships no schema. */
async function unpackJson<Row>(packed: string): Promise<Row[]> {
  return (await unpack(packed)).map((line): Row => JSON.parse(line));
}

/**
 * The lines of a packed block (see `packedLines` in ../write.ts), by the decompressor of browsers and Node.
 *
 * @throws when the block is damaged
 */
export async function unpack(packed: string): Promise<string[]> {
  const text = atob(packed);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  const unzipped = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return (await new Response(unzipped).text()).split('\n');
}

export type SearchStep = {
  /** How many blocks were searched, of how many. */
  readonly done: number;
  readonly of: number;
  /** What this step found. */
  readonly found: readonly DebateEntry[];
};

/**
 * Searches the questions and all responses of the given debates for a text, ignoring case, block after block. What agents were shown is
 * searched only where it is a summary: otherwise it repeats the question or the others' responses.
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
      ...(shown?.kind === 'summary' ? [shown.text] : []),
    ]);
  return [id, question, gold ?? '', ...said];
}

function holds(text: string, needle: string): boolean {
  return text.toLowerCase().includes(needle);
}

/** Which debates are listed. */
export type Filter = {
  readonly set: BrowsedSet;
  /** Null for all iterations. */
  readonly iteration: number | null;
  /** Any of these; all outcomes when it is empty. */
  readonly outcomes: readonly DebateOutcome[];
  readonly tied: boolean;
  readonly unparsable: boolean;
  readonly cutOff: boolean;
  readonly agreement: Agreement;
};
/** Whether the agents' answers differed after round 1, still at the end, or never. */
export type Agreement = 'any' | 'agreed' | 'differed' | 'differed-to-the-end';

export function passes(entry: DebateEntry, filter: Filter): boolean {
  return (
    entry.set === filter.set &&
    (filter.iteration === null || entry.iteration === filter.iteration) &&
    (filter.outcomes.length === 0 || (entry.outcome !== null && filter.outcomes.includes(entry.outcome))) &&
    (!filter.tied || entry.tied) &&
    (!filter.unparsable || entry.unparsable) &&
    (!filter.cutOff || entry.cutOff) &&
    agrees(entry, filter.agreement)
  );
}

function agrees(entry: DebateEntry, agreement: Agreement): boolean {
  switch (agreement) {
    case 'agreed':
      return !entry.differedFirst && !entry.differedLast;
    case 'differed':
      return entry.differedFirst;
    case 'differed-to-the-end':
      return entry.differedLast;
    case 'any':
    default:
      agreement satisfies 'any';
      return true;
  }
}

export type FilterCounts = Readonly<Record<DebateOutcome | 'tied' | 'unparsable' | 'cutOff', number>>;

/** How many debates each choice would list while the other choices stay the same. */
export function filterCounts(entries: readonly DebateEntry[], filter: Filter): FilterCounts {
  const counts = { saved: 0, spoilt: 0, right: 0, wrong: 0, tied: 0, unparsable: 0, cutOff: 0 };
  const ofAnyOutcome: Filter = { ...filter, outcomes: [] };
  for (const entry of entries) {
    if (entry.outcome !== null && passes(entry, ofAnyOutcome)) counts[entry.outcome] += 1;
    if (entry.tied && passes(entry, filter)) counts.tied += 1;
    if (entry.unparsable && passes(entry, filter)) counts.unparsable += 1;
    if (entry.cutOff && passes(entry, filter)) counts.cutOff += 1;
  }
  return counts;
}

/** The debate that an address names, as in `debates.html#i2/heldout-00017`. */
export type Address = Pick<DebateEntry, 'iteration' | 'id'>;

export function hashOf({ iteration, id }: Address): string {
  return `#i${iteration}/${encodeURIComponent(id)}`;
}

/** Undefined when the hash names no debate. */
export function addressOf(hash: string): Address | undefined {
  const parts = /^#i(\d+)\/(.+)$/.exec(hash);
  try {
    return parts === null
      ? undefined
      : { iteration: Number(parts[1]), id: decodeURIComponent(parts[2] ?? '') };
  } catch {
    return undefined;
  }
}
