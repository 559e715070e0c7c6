import { readLedger } from '../../store/series.ts';
import { openStore, studyFiles } from '../../store/store.ts';
import { command, jsonFlag, nameArgument } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { experimentName, seriesName, studyName } from '../experiment-argument.ts';
import { printJson } from '../print-json.ts';
import { shortPath } from '../tell-ending.ts';

/** `colloquy report NAME` */
export const report = command({
  name: 'report',
  description: "write a finished experiment's report.html anew, or that of a series of nights or of a study",
  examples: [
    'colloquy report quickstart',
    'colloquy report nightly --series',
    'colloquy report laptop --study',
  ],
  args: {
    ...nameArgument,
    series: { type: 'boolean', description: 'the name is that of a series of nights', default: false },
    study: { type: 'boolean', description: 'the name is that of a study, finished or not', default: false },
    ...jsonFlag,
  },
  run: async ({ name, series, study, json }) => {
    const write = study ? reportOfStudy : series ? reportOfSeries : reportOfExperiment;
    const path = await write(name);
    if (json) printJson({ report: path });
    else console.log(shortPath(path));
    return exitCodes.ok;
  },
});

// Imported when needed: they bring Vega, which no other command should wait for.

async function reportOfExperiment(name: string): Promise<string> {
  const { writeReport } = await import('../../report/write.ts');
  return writeReport(openStore().experiment(experimentName(name)));
}

async function reportOfSeries(given: string): Promise<string> {
  const store = openStore();
  const name = seriesName(given);
  const nights = await readLedger(store, name);
  if (nights.length === 0) throw new NoNights(name, store.series(name));
  const { writeSeriesReport } = await import('../../report/write.ts');
  return writeSeriesReport(store, name, nights);
}

async function reportOfStudy(given: string): Promise<string> {
  const name = studyName(given);
  const store = openStore();
  const { finishedExperiments } = await import('../../report/read/study.ts');
  const { writeStudyReport } = await import('../../report/write.ts');
  await writeStudyReport(store, name, await finishedExperiments(store, name));
  return studyFiles(store, name).report;
}

/** There is no such series, or none of its nights has finished. */
export class NoNights extends Error {
  override name = 'NoNights' as const;

  constructor(series: string, folder: string) {
    super(
      `There is no finished night in ${folder}: the series ${series} has not begun, or has another name.`,
    );
  }
}
