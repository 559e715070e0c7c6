import { makeContinueAsNewFunc, type Workflow, workflowInfo } from '@temporalio/workflow';
// oxlint-disable-next-line no-restricted-imports -- the SDK has no other name for it; see below
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';

/**
 * Continues as new. Where workers are versioned, a run is pinned to the version that began it, and the next run begins on the version
 * that is current by then.
 *
 * Servers since 1.31 do so when the command asks for it. Before, the new run inherits the version of a run that is pinned; so the
 * workflow task that ends the run says that it no longer is, for which the SDK has no function.
 */
export function continueOnCurrentVersion<F extends Workflow>(...args: Parameters<F>): Promise<never> {
  if (workflowInfo().currentDeploymentVersion?.deploymentName)
    getActivator().versioningBehavior = 'AUTO_UPGRADE';
  return makeContinueAsNewFunc<F>({ initialVersioningBehavior: 'AUTO_UPGRADE' })(...args);
}
