import { activity } from './activity.ts';
import { adoptEvaluation } from './adopt-evaluation.ts';
import { buildDatasets } from './build-datasets.ts';
import { closeNight } from './close-night.ts';
import { debate } from './debate.ts';
import type { Dependencies } from './dependencies.ts';
import { evaluate } from './evaluate.ts';
import { fineTune, remakeModel } from './fine-tune.ts';
import { measureDiversity } from './measure-diversity.ts';
import { prepare } from './prepare.ts';
import { prepareStudy, studyCells } from './prepare-study.ts';
import { recordIteration } from './record-iteration.ts';
import { writeResult } from './write-result.ts';
import { writeStudy } from './write-study.ts';

/** Light steps, on the control queue. */
export type ControlActivities = ReturnType<typeof controlActivities>;
export function controlActivities(dependencies: Dependencies) {
  return {
    prepare: activity(prepare, dependencies),
    adoptEvaluation: activity(adoptEvaluation, dependencies),
    buildDatasets: activity(buildDatasets, dependencies),
    evaluate: activity(evaluate, dependencies),
    recordIteration: activity(recordIteration, dependencies),
    writeResult: activity(writeResult, dependencies),
    closeNight: activity(closeNight, dependencies),
    prepareStudy: activity(prepareStudy, dependencies),
    studyCells: activity(studyCells, dependencies),
    writeStudy: activity(writeStudy, dependencies),
  };
}

/** What models answer and score, on the debate queue. */
export type DebateActivities = ReturnType<typeof debateActivities>;
export function debateActivities(dependencies: Dependencies) {
  return {
    debate: activity(debate, dependencies),
    measureDiversity: activity(measureDiversity, dependencies),
  };
}

/** Fine-tunes, on the GPU queue. */
export type GpuActivities = ReturnType<typeof gpuActivities>;
export function gpuActivities(dependencies: Dependencies) {
  return { fineTune: activity(fineTune, dependencies), remakeModel: activity(remakeModel, dependencies) };
}
