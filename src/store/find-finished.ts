import { configDifference } from '../config/config-difference.ts';
import { type ExperimentConfig, experimentConfigSchema } from '../config/experiment-config.ts';
import { findDocument } from './documents.ts';
import { experimentFiles } from './experiment-files.ts';
import { type ExperimentResult, experimentResultSchema } from './experiment-result.ts';
import type { Store } from './open-store.ts';

/**
 * The result of an experiment that was finished with this config and at least as many iterations; null when there is none. Damaged
 * files are moved aside, so that the experiment's next run makes them again.
 */
export async function findFinished(
  store: Store,
  name: string,
  config: ExperimentConfig,
): Promise<ExperimentResult | null> {
  const files = experimentFiles(store, name);
  const begun = await findDocument(files.config, experimentConfigSchema);
  const result = await findDocument(files.result, experimentResultSchema);
  if (begun === null || result === null) return null;
  if (configDifference(begun, config).some(({ path }) => path !== 'iterations')) return null;
  return (result.evaluations.at(-1)?.iteration ?? -1) >= config.iterations ? result : null;
}
