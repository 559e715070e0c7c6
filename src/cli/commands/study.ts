import { defaultPayloadConverter, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { InvalidConfig } from '../../config/faults.ts';
import { colloquy } from '../../config/installation.ts';
import { configDifference } from '../../config/resolve.ts';
import { resolveStudy, type Study } from '../../config/study.ts';
import { ColloquyError, type ExitCode, exitCodes } from '../../errors.ts';
import { taskQueues } from '../../workflows/temporal.ts';
import { studyFromConfig } from '../arguments.ts';
import { command, commandLine, jsonOption, priorityOption, setExitCode, weightOption } from '../command.ts';
import { createDisplay, type Display } from '../display.ts';
import { differenceText } from '../experiment/run.ts';
import { type Temporal, uiUrlOf, withTemporal } from '../server/connect.ts';
import { openLocalServer, superviseWorker } from '../server/local-server.ts';
import { findWorkflow, hasWorker, type Share, sharing } from '../server/workflow.ts';
import { followStudy, printStudyEnding } from '../study/follow.ts';
import { interruptSignal } from '../terminal.ts';

/** `colloquy study CONFIG [key=value ...]` */
export const study = command('study', [
  'colloquy study laptop             # one that `colloquy presets` lists, on this machine alone',
  `colloquy study table-1 'seeds=[0,1,2]'`,
  'colloquy study mine.yaml --detach',
  'The same command goes on where it was; with more methods or seeds it runs only those.',
  'Without a configured Temporal server, or without a worker, it starts its own and stops it at the end.',
])
  .argument('<config>', 'a YAML or JSON file, or the name of one in configs/studies')
  .argument('[overrides...]', 'settings to change, as key=value')
  .option(
    '--detach',
    'leave at once instead of showing the progress until the end; needs a server and a worker',
  )
  .addOption(priorityOption)
  .addOption(weightOption)
  .addOption(jsonOption)
  .action(async (config, overrides, { detach, json = false, ...share }) => {
    const { name, input } = studyFromConfig(config, overrides);
    const display = createDisplay(json ? process.stderr : process.stdout);
    if (detach) return withTemporal((temporal) => start(temporal, name, input, display, share));
    const comeBack = commandLine(`${colloquy} study`, [config, ...overrides]);
    const { signal, dispose } = interruptSignal();
    const server = await openLocalServer(display.say);
    try {
      const options = { name, input, json, display, signal, comeBack, share };
      setExitCode(await withTemporal((temporal) => runAndFollow(temporal, options)));
    } finally {
      await server.stop();
      dispose();
    }
  });

type Options = {
  readonly name: string;
  readonly input: object;
  readonly json: boolean;
  readonly display: Display;
  readonly signal: AbortSignal;
  readonly comeBack: string;
  readonly share: Share;
};

/** Starts a worker if no other one runs, and stops it at the end. */
async function runAndFollow(
  temporal: Temporal,
  { name, input, json, display, signal, comeBack, share }: Options,
): Promise<ExitCode> {
  const worker = (await hasWorker(temporal)) ? undefined : await superviseWorker(display.say);
  try {
    await start(temporal, name, input, display, share);
    const stop = worker === undefined ? signal : AbortSignal.any([signal, worker.gaveUp]);
    const ending = await followStudy(temporal, name, { display, signal: stop });
    return await printStudyEnding(ending, { name, json, comeBack, goesOn: worker === undefined });
  } finally {
    if (signal.aborted && worker !== undefined) display.say('Stopping: what is in flight is being saved ...');
    await worker?.stop();
    display.stop();
  }
}

async function start(
  temporal: Temporal,
  name: string,
  input: object,
  display: Display,
  share: Share,
): Promise<void> {
  const done = await startStudy(temporal, name, input, share);
  display.say(
    done === 'started' ? `Started the study ${name}` : `Attached to the study ${name}, which is running`,
  );
  const ui = uiUrlOf(temporal.address, name);
  if (ui !== undefined) display.say(`Web UI, while this runs: ${ui}`);
}

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
  share: Share = {},
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
      ...sharing(name, share),
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
    ...(JSON.stringify(there.totalBudget) === JSON.stringify(here.totalBudget)
      ? []
      : ['total_budget: other limits there: colloquy set-budget changes them']),
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
