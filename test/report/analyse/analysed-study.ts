/** A scripted study, as its report analyses it. */
import { analyseStudy, type StudyAnalysis } from '../../../src/report/analyse/study.ts';
import { measureExperiment } from '../../../src/report/read/measured-experiment.ts';
import { openStore } from '../../../src/store/store.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { type Answers, type Script, times, writeScriptedStudy } from '../scripted-study.ts';

const folder = temporaryFolder();
let studies = 0;

export async function analysed(scripts: readonly Script[]): Promise<StudyAnalysis> {
  const store = openStore(folder);
  const name = `s${++studies}`;
  const cells = await writeScriptedStudy(store, name, scripts);
  return analyseStudy({
    name,
    experiments: await Promise.all(cells.map((experiment) => measureExperiment(store, experiment))),
    missing: [],
  });
}

export const row = (analysis: StudyAnalysis, key: string) =>
  analysis.settings[0]!.contenders.find((each) => each.key === key)!;
export const against = (analysis: StudyAnalysis, other: string, moment: string) =>
  analysis.comparisons.find((each) => each.other === other && each.moment === moment)!;

/** 40 questions: the debate of the trained agents is right on the first `right` of them. */
export const debateRight = (right: number): Answers[] => [
  ...times(right, 'RRR>RRR'),
  ...times(40 - right, 'WWW>WWW'),
];
