/** The folder of an experiment as a whole. */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { type ExperimentFiles, experimentFiles, type Store } from './store.ts';

/** The iterations that have a folder, the newest first; none when the experiment itself has no folder. */
export async function iterationsBegun({ folder }: ExperimentFiles): Promise<number[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names
    .flatMap((each) => /^iteration-(\d+)$/.exec(each)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => b - a);
}

/** Whether the experiment's report is in this store: the worker that wrote it may have another one. */
export function hasReport({ report }: ExperimentFiles): boolean {
  return existsSync(report);
}

/** Removes all that an experiment has written but its fine-tuned models, which others may share. */
export async function removeExperiment(store: Store, experiment: string): Promise<void> {
  await rm(experimentFiles(store, experiment).folder, { recursive: true, force: true });
}
