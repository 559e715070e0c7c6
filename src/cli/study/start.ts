import { defaultPayloadConverter, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { configDifference } from '../../config/resolve.ts';
import { InvalidConfig } from '../../config/faults.ts';
import { resolveStudy, type Study } from '../../config/study.ts';
import { taskQueues } from '../../workflows/server-names.ts';
import { differenceText } from '../experiment/start.ts';
import type { Temporal } from '../server/connect.ts';
import { findWorkflow } from '../server/workflow.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

/**
 * Starts the study unless it runs with these settings.
 *
 * @param input the workflow's input: not resolved, so that it means the same as in `temporal workflow start --input`
 * @throws StudyHasOtherConfig when it runs with other settings; OtherKind when the name belongs to an experiment
 */
export async function startStudy(
  temporal: Temporal,
  name: string,
  input: object,
): Promise<'started' | 'attached'> {
  // Throws when an experiment has this name.
  await findWorkflow(temporal, name, 'study');
  const study = resolveStudy(name, input);
  try {
    await temporal.client.workflow.start('study', {
      workflowId: name,
      taskQueue: taskQueues.control,
      args: [input],
      staticSummary: `A study: ${study.cells.length} experiments`,
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
    });
    return 'started';
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
  const differences = studyDifferences(await runningStudy(temporal, name), study);
  if (differences.length > 0) throw new StudyHasOtherConfig(name, differences);
  return 'attached';
}

/** The study is running, but with other settings than these. */
export class StudyHasOtherConfig extends ColloquyError {
  override name = 'StudyHasOtherConfig' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  constructor(study: string, differences: readonly string[]) {
    const shown = differences.slice(0, mostShown).map((each) => `  ${each}`);
    if (differences.length > mostShown) shown.push(`  and ${differences.length - mostShown} more`);
    super(
      `The study "${study}" is running with other settings:\n${shown.join('\n')}\n` +
        'Start this one when it has ended: what both have is not run again. Or cancel it first:  ' +
        `temporal workflow cancel --workflow-id ${study}\n` +
        'Or give this one another name (name=…).',
    );
  }
}

const mostShown = 10;

/** The study that is running, from the input in the first event of its run; null when this version cannot resolve that input. */
async function runningStudy({ client, namespace }: Temporal, name: string): Promise<Study | null> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace,
    execution: { workflowId: name },
    maximumPageSize: 1,
  });
  const [payload] = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  try {
    return resolveStudy(name, payload ? defaultPayloadConverter.fromPayload(payload) : null);
  } catch (error) {
    if (error instanceof InvalidConfig) return null;
    throw error;
  }
}

/** One line for each experiment that only one of the two has, and for each setting in which a common experiment differs. */
function studyDifferences(there: Study | null, here: Study): string[] {
  if (there === null) return [];
  const before = new Map(there.cells.map(({ name, config }) => [name, config]));
  const after = new Map(here.cells.map(({ name, config }) => [name, config]));
  return [
    ...(there.parallel === here.parallel ? [] : [`parallel: ${there.parallel} there, ${here.parallel} here`]),
    ...[...before.keys()].filter((name) => !after.has(name)).map((name) => `${name}: there alone`),
    ...[...after.keys()].filter((name) => !before.has(name)).map((name) => `${name}: here alone`),
    ...[...after].flatMap(([name, config]) => {
      const other = before.get(name);
      return other === undefined
        ? []
        : configDifference(other, config).map((each) => `${name}: ${differenceText(each)}`);
    }),
  ];
}
