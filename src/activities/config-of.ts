import { type ExperimentConfig, experimentConfigSchema } from '../config/experiment-config.ts';
import { ArtifactMissing } from '../store/artifact-missing.ts';
import { readDocument } from '../store/documents.ts';
import type { ExperimentFiles } from '../store/experiment-files.ts';

/** The resolved config of an experiment that was prepared. */
export async function configOf(files: ExperimentFiles): Promise<ExperimentConfig> {
  const config = await readDocument(files.config, experimentConfigSchema);
  if (config === null) throw new ArtifactMissing(files.config);
  return config;
}
