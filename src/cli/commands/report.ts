import { readLedger } from '../../store/series.ts';
import { join } from 'node:path';
import { isThere, type Place } from '../../store/blobs.ts';
import { writeAtomically } from '../../store/files/atomic.ts';
import { experimentFiles, openStore, seriesFiles, type Store, studyFiles } from '../../store/store.ts';
import { checkName, command, jsonOption } from '../command.ts';
import { printJson, shortPath } from '../terminal.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

/** `colloquy report NAME` */
export const report = command(
  'report',
  'write again the report.html of a finished experiment, a series of nights or a study',
  ['colloquy report quickstart', 'colloquy report nightly --series', 'colloquy report laptop --study'],
)
  .argument('<name>', 'the name of the experiment, the series or the study')
  .option('--series', 'the name is that of a series of nights')
  .option('--study', 'the name is that of a study, finished or not')
  .addOption(jsonOption)
  .action(async (name, { series, study, json }) => {
    const write = study ? studyReport : series ? seriesReport : experimentReport;
    const path = await write(name);
    if (json) printJson({ report: path });
    else console.log(shortPath(path));
  });

// The report modules load Vega, so each is imported only when it is used.

async function experimentReport(name: string): Promise<string> {
  const store = openStore();
  const files = experimentFiles(store, checkName('experiment', name));
  const { writeReport } = await import('../../report/write.ts');
  await writeReport(files);
  // The report links to it.
  await onThisHost(store, files.debateBrowser);
  return onThisHost(store, files.report);
}

/** The path of a page for the reader's browser: where the store is no folder, of a copy. */
async function onThisHost({ local, blobs }: Store, { name, where }: Place): Promise<string> {
  const path = join(local, ...name.split('/'));
  if (where !== path && (await isThere({ blobs, name, where })))
    await writeAtomically(path, blobs.stream(name));
  return path;
}

async function seriesReport(given: string): Promise<string> {
  const store = openStore();
  const name = checkName('series', given);
  const nights = await readLedger(store, name);
  if (nights.length === 0) throw new NoNights(name, store.series(name).where);
  const { writeSeriesReport } = await import('../../report/write.ts');
  await writeSeriesReport(store, name, nights);
  return onThisHost(store, seriesFiles(store, name).report);
}

async function studyReport(given: string): Promise<string> {
  const name = checkName('study', given);
  const store = openStore();
  const { finishedExperiments } = await import('../../report/read/study.ts');
  const { writeStudyReport } = await import('../../report/write.ts');
  await writeStudyReport(store, name, await finishedExperiments(store, name));
  return onThisHost(store, studyFiles(store, name).report);
}

/** There is no such series, or none of its nights has finished. */
export class NoNights extends ColloquyError {
  override name = 'NoNights' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(series: string, folder: string) {
    super(
      `There is no finished night in ${folder}: the series ${series} has not begun, or has another name.`,
    );
  }
}
