import { activity, type Dependencies } from './activity.ts';
import { buildDatasets, buildDistilled } from './steps/build-datasets.ts';
import { changeConfig } from './steps/begun-with.ts';
import { closeNight } from './steps/night.ts';
import { debate } from './steps/debate.ts';
import { adoptEvaluation, evaluate } from './steps/evaluate.ts';
import { fineTune, pruneModels, remakeModel } from './steps/fine-tune.ts';
import { measureDiversity } from './steps/measure-diversity.ts';
import { prepare } from './steps/prepare.ts';
import { prepareStudy, studyCells, watchStudy, writeStudy } from './steps/study.ts';
import { recordDistilled, recordIteration, writeResult } from './steps/write-result.ts';

/** Light steps, on the control queue. */
export type ControlActivities = ReturnType<typeof controlActivities>;
export function controlActivities(dependencies: Dependencies) {
  return {
    prepare: activity(prepare, dependencies),
    adoptEvaluation: activity(adoptEvaluation, dependencies),
    buildDatasets: activity(buildDatasets, dependencies),
    buildDistilled: activity(buildDistilled, dependencies),
    evaluate: activity(evaluate, dependencies),
    recordIteration: activity(recordIteration, dependencies),
    recordDistilled: activity(recordDistilled, dependencies),
    pruneModels: activity(pruneModels, dependencies),
    writeResult: activity(writeResult, dependencies),
    changeConfig: activity(changeConfig, dependencies),
    closeNight: activity(closeNight, dependencies),
    prepareStudy: activity(prepareStudy, dependencies),
    studyCells: activity(studyCells, dependencies),
    watchStudy: activity(watchStudy, dependencies),
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
