import type { ExperimentConfig } from '../../config/experiment.ts';
import { filesOfBaseModel, requireSameBaseModel } from '../../engines/endpoint/base-model.ts';
import { questionFileHashes } from '../../questions/row-files.ts';
import { findDocument } from '../../store/files/documents.ts';
import type { BaseModel } from '../../store/models.ts';
import { type BegunWith, begunWithSchema } from '../../store/base-model-files.ts';
import type { ExperimentFiles } from '../../store/store.ts';

/**
 * What the debates depend on and the config does not hold, as it was when the experiment began. Debates of another base model cannot be
 * continued. Other question files are only noted, because the questions are stored.
 *
 * @throws BaseModelChanged
 */
export async function sameAsBegun(
  base: BaseModel,
  config: ExperimentConfig,
  files: ExperimentFiles,
  begun: boolean,
): Promise<BegunWith> {
  const now = { base, files: await filesOfBaseModel(base) };
  const questionFiles = await questionFileHashes([config.task, ...Object.values(config.transfer)]);
  // Without a config it is left over from a start that failed. An experiment that an earlier version began has none.
  const then = begun ? await findDocument(files.begunWith, begunWithSchema) : null;
  if (then === null) return { formatVersion: 1, models: [now], questionFiles, changedQuestionFiles: [] };
  for (const model of then.models)
    if (model.base.endpoint === base.endpoint && model.base.name === base.name)
      requireSameBaseModel(model, now, files.folder.where);
  const changedQuestionFiles = Object.keys(then.questionFiles).filter(
    (path) => (questionFiles[path] ?? then.questionFiles[path]) !== then.questionFiles[path],
  );
  return { ...then, changedQuestionFiles };
}
