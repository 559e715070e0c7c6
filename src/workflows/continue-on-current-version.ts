import { continueAsNew, makeContinueAsNewFunc, type Workflow, workflowInfo } from '@temporalio/workflow';
// oxlint-disable-next-line no-restricted-imports -- SDK 1.24 has no public name for it; see below
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';

/**
 * Continues as new. Where workers are versioned, a run is pinned to the version that began it, and the next run begins on the version
 * that is current by then.
 *
 * Servers since 1.31 do so when the command asks for it. Before, the new run inherits the version of a run that is pinned; so the
 * workflow task that ends the run says that it no longer is. Nothing public in the SDK says that of one task: options of a
 * workflow are read when its run begins, and no interceptor sees them. It can go when servers before 1.31 need not be served.
 */
export function continueOnCurrentVersion<F extends Workflow>(...args: Parameters<F>): Promise<never> {
  // Also of a run that began without versions, and went on on a versioned worker.
  const versioned = Boolean(workflowInfo().currentDeploymentVersion?.deploymentName);
  if (!versioned) return continueAsNew<F>(...args);
  getActivator().versioningBehavior = 'AUTO_UPGRADE';
  return makeContinueAsNewFunc<F>({ initialVersioningBehavior: 'AUTO_UPGRADE' })(...args);
}
