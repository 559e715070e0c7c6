/**
 * A series' ledger: a folder for each finished night, numbered without gaps and never changed. A folder is published by one rename,
 * which only one of several writers can win, so a night is in the ledger whole or not at all.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { HeldOutQuestion } from '../algorithm/question.ts';
import { ArtifactDamaged } from './artifact-damaged.ts';
import { ArtifactMissing } from './artifact-missing.ts';
import { readDocument, writeDocument } from './documents.ts';
import { type NightEntry, nightEntrySchema } from './night.ts';
import type { Store } from './open-store.ts';
import { publishFolder } from './publish-folder.ts';
import { heldOutQuestionSchema } from './question-rows.ts';
import { readRows, writeRows } from './rows.ts';
import { SeriesDamaged } from './series-damaged.ts';

/** Where a series keeps what, as absolute paths. */
export function seriesFiles(store: Store, series: string) {
  const folder = store.series(series);
  const night = (sequence: number) => join(folder, `night-${String(sequence).padStart(5, '0')}`);
  return {
    folder,
    night,
    entry: (sequence: number) => join(night(sequence), 'night.json'),
    /** The questions that all nights measure with: those of the first one. */
    heldOut: join(night(1), 'heldout.jsonl'),
    report: join(folder, 'report.html'),
  };
}

/**
 * The finished nights of a series, in the order in which they were finished; none when there is no such series.
 *
 * @throws SeriesDamaged when one is damaged or missing
 */
export async function readLedger(store: Store, series: string): Promise<NightEntry[]> {
  const files = seriesFiles(store, series);
  const names = await readdir(files.folder).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const nights = Math.max(0, ...names.map((name) => Number(/^night-(\d+)$/.exec(name)?.[1] ?? 0)));
  const entries: NightEntry[] = [];
  for (let sequence = 1; sequence <= nights; sequence++) {
    const path = files.entry(sequence);
    const entry = await orSeriesDamaged(path, () => readDocument(path, nightEntrySchema));
    if (entry === null) throw new SeriesDamaged(path, 'is missing');
    if (entry.sequence !== sequence || entry.series !== series)
      throw new SeriesDamaged(path, `is night ${entry.sequence} of ${entry.series}`);
    entries.push(entry);
  }
  return entries;
}

/** The held-out questions of a series that has a night. @throws SeriesDamaged */
export async function heldOutOf(store: Store, series: string): Promise<HeldOutQuestion[]> {
  const path = seriesFiles(store, series).heldOut;
  return orSeriesDamaged(path, () => readRows(path, heldOutQuestionSchema));
}

/**
 * Adds a night. False, and nothing has changed, when there is another one of that number by now.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function addToLedger(
  store: Store,
  entry: NightEntry,
  heldOut: readonly HeldOutQuestion[],
): Promise<boolean> {
  return publishFolder(seriesFiles(store, entry.series).night(entry.sequence), async (folder) => {
    if (entry.sequence === 1) await writeRows(join(folder, 'heldout.jsonl'), heldOut);
    await writeDocument(join(folder, 'night.json'), entry);
  });
}

async function orSeriesDamaged<Value>(path: string, read: () => Promise<Value>): Promise<Value> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ArtifactDamaged)
      throw new SeriesDamaged(path, `is damaged (expected ${error.expected}, found ${error.found})`);
    if (error instanceof ArtifactMissing) throw new SeriesDamaged(path, 'is missing');
    throw error;
  }
}
