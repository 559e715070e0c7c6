import { join } from 'node:path';
import { type TrackerName, trackerNames, trackersOf } from '../../config/names.ts';
import { isThere, type Place } from '../../store/blobs.ts';
import { writeAtomically } from '../../store/files/atomic.ts';
import { configInForce } from '../../store/records/config-changes.ts';
import { readLedger } from '../../store/series.ts';
import { experimentFiles, openStore, seriesFiles, type Store, studyFiles } from '../../store/store.ts';
import { checkName, experimentName } from '../arguments.ts';
import { command, jsonOption, setExitCode } from '../command.ts';
import { interruptSignal, printJson, shortPath } from '../terminal.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { InvalidArgumentError } from '@commander-js/extra-typings';

/** `colloquy report NAME` */
export const report = command('report', [
  'colloquy report quickstart',
  'colloquy report nightly --series',
  'colloquy report laptop --study',
])
  .argument('<name>', 'the name of the experiment, the series or the study')
  .option('--series', 'take the name as that of a series of nights')
  .option('--study', 'take the name as that of a study, finished or not')
  .addOption(jsonOption)
  .action(async (name, { series, study, json }) => {
    const write = study ? studyReport : series ? seriesReport : experimentReport;
    const path = await write(name);
    if (json) printJson({ report: path });
    else console.log(shortPath(path));
  });

// The report modules load Vega, and the trackers axios, so each is imported only when it is used.

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

/** `colloquy track NAME` */
export const track = command('track', [
  'colloquy track quickstart --to tensorboard     # then: tensorboard --logdir runs',
  'TRACKIO_SERVER_URL=http://127.0.0.1:7860 TRACKIO_WRITE_TOKEN=… colloquy track quickstart --to trackio',
  'MLFLOW_TRACKING_URI=http://127.0.0.1:5000 colloquy track quickstart --to mlflow',
  'colloquy track quickstart                      # to the trackers of its config (report_to)',
])
  .argument('<name>', "the experiment's name", experimentName)
  .option(
    '--to <a,b>',
    `send to some of ${trackerNames.join(', ')} (default: those of its config)`,
    trackerList,
  )
  .addOption(jsonOption)
  .action(async (name, { to, json }) => {
    const store = openStore();
    const files = experimentFiles(store, name);
    if (!(await isThere(files.config))) throw new NothingToTrack(name, files.folder.where);
    const names = to ?? trackersOf(await configInForce(files));
    if (names.length === 0) throw new NoTrackers(name);
    const { openedTracker } = await import('../../observe/trackers/live.ts');
    const { track: send } = await import('../../observe/trackers/track.ts');
    const { signal, dispose } = interruptSignal();
    const trackers = new Map(names.map((each) => [each, openedTracker(each, store, files)] as const));
    const sent = await send(files, trackers, signal);
    dispose();
    if (json) printJson({ metrics: files.metrics.where, trackers: sent });
    for (const { tracker, where, lines, problem } of sent) {
      if (problem !== null) console.error(problem);
      else if (!json)
        console.log(`${tracker} has all ${lines} lines of ${shortPath(files.metrics.where)}: ${where}`);
    }
    if (sent.some(({ problem }) => problem !== null)) setExitCode(exitCodes.failed);
  });

/** The parser of `--to`. */
function trackerList(given: string): TrackerName[] {
  return given.split(',').map((each) => {
    const found = trackerNames.find((name) => name === each.trim());
    if (found !== undefined) return found;
    throw new InvalidArgumentError(
      `There is no tracker "${each}". The trackers are ${trackerNames.join(', ')}.`,
    );
  });
}

/** There is no such experiment. */
export class NothingToTrack extends ColloquyError {
  override name = 'NothingToTrack' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(experiment: string, folder: string) {
    super(
      `There is no config.json in ${folder}: the experiment ${experiment} has not begun, or has another name.`,
    );
  }
}

/** Neither the command nor the config names a tracker. */
export class NoTrackers extends ColloquyError {
  override name = 'NoTrackers' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  constructor(experiment: string) {
    super(
      `The config of ${experiment} names no tracker (report_to). Name one: colloquy track ${experiment} --to ${trackerNames.join(', or --to ')}`,
    );
  }
}
