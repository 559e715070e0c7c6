/** A store's bytes in memory: what it takes to keep them in one more kind of place. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Blobs, checkedName, type Content, piecesOf } from '../../src/store/blobs.ts';
import { ArtifactMissing } from '../../src/store/errors.ts';

/**
 * @param scratch a folder for local copies
 * @param kept the bytes by name: shared by those who use the same store
 * @param times when each was written; without it, all was written now
 */
export function memoryBlobs(
  scratch: string,
  kept = new Map<string, Buffer>(),
  times?: Map<string, number>,
): Blobs {
  const where = (name: string) => `memory:${name}`;
  const within = (name: string) =>
    [...kept.keys()].filter((each) => each === name || each.startsWith(`${name}/`));
  const require = (name: string): Buffer => {
    const bytes = kept.get(checkedName(name));
    if (bytes === undefined) throw new ArtifactMissing(where(name));
    return bytes;
  };

  return {
    where,
    size: async (name) => kept.get(checkedName(name))?.length ?? null,
    writtenAt: async (name) => (kept.has(checkedName(name)) ? 0 : null),
    get: async (name, range) => {
      const bytes = kept.get(checkedName(name));
      if (bytes === undefined) return null;
      return Buffer.from(
        range === undefined ? bytes : bytes.subarray(range.start, range.start + range.bytes),
      );
    },
    async *stream(name) {
      const bytes = require(name);
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    },
    putOnce: async (name, content) => {
      const bytes = await gathered(content);
      const there = kept.get(checkedName(name));
      if (there === undefined) {
        kept.set(name, bytes);
        times?.set(name, Date.now());
      }
      return there === undefined ? 'made' : there.equals(bytes) ? 'same' : 'other';
    },
    replace: async (name, content, beforeCommit) => {
      const bytes = await gathered(content);
      await beforeCommit?.();
      kept.set(checkedName(name), bytes);
      times?.set(name, Date.now());
    },
    everything: async (prefix) =>
      [...kept]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, { length }]) => ({ name, bytes: length, writtenAt: times?.get(name) ?? Date.now() })),
    list: async (prefix) => [...kept.keys()].filter((name) => name.startsWith(prefix)).toSorted(),
    folders: async () => [
      ...new Set(
        [...kept.keys()].flatMap((name) => (name.includes('/') ? name.slice(0, name.indexOf('/')) : [])),
      ),
    ],
    move: async (from, to) => {
      const names = within(from);
      for (const name of names) {
        kept.set(checkedName(to) + name.slice(from.length), require(name));
        kept.delete(name);
      }
      return names.length > 0;
    },
    remove: async (name) => {
      for (const each of within(checkedName(name))) kept.delete(each);
    },
    tidy: async () => undefined,
    localCopy: async (name) => {
      const names = within(checkedName(name));
      if (names.length === 0) throw new ArtifactMissing(where(name));
      const root = join(scratch, createHash('sha256').update(name).digest('hex').slice(0, 16));
      for (const each of names) {
        await mkdir(dirname(join(root, each)), { recursive: true });
        await writeFile(join(root, each), require(each));
      }
      return join(root, name);
    },
  };
}

async function gathered(content: Content): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(content)) pieces.push(piece);
  return Buffer.concat(pieces);
}
