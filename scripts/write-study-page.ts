/**
 * `npx tsx scripts/write-study-page.ts STUDY` writes docs/STUDY-study.md and docs/images/STUDY-*.svg from a study in the store, as
 * docs/laptop-study.md was. To be run where the study was: the page says on what machine.
 */
import { stat } from 'node:fs/promises';
import { cpus, release, type as system, totalmem } from 'node:os';
import { join, relative } from 'node:path';
import { projectRoot } from '../src/config/installation.ts';
import { finishedExperiments } from '../src/report/read/study.ts';
import { writeStudyPage } from '../src/report/write.ts';
import { experimentFiles, openStore } from '../src/store/store.ts';

const study = process.argv[2] ?? 'laptop';
const store = openStore();
const ended = await Promise.all(
  (await finishedExperiments(store, study)).map(
    async ({ name }) => (await stat(experimentFiles(store, name).result.where)).mtimeMs,
  ),
);
const about = {
  machine: `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB of memory, ${system()} ${release()}, Node ${process.versions.node}`,
  date: new Date(Math.max(0, ...ended)).toISOString().slice(0, 10),
  command: `npx tsx scripts/write-study-page.ts ${study}`,
};
const docs = join(projectRoot, 'docs');
const target = { page: join(docs, `${study}-study.md`), images: join(docs, 'images') };
for (const file of await writeStudyPage(store, study, target, about))
  console.log(relative(projectRoot, file));
