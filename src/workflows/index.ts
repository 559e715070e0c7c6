import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';

export { experiment } from './experiment.ts';
export { study } from './study.ts';

/** Runs in place of a workflow of any other type, which otherwise no worker would ever begin. @throws ApplicationFailure */
// oxlint-disable-next-line no-default-export -- the SDK's name for what has no type of its own
export default async function unknownType(): Promise<never> {
  const { workflowType } = workflowInfo();
  throw ApplicationFailure.nonRetryable(
    `There is no workflow of the type ${JSON.stringify(workflowType)}. The types are "experiment" and "study": start it again with --type experiment or --type study.`,
    'UnknownWorkflowType',
  );
}
