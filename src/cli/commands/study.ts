import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { loadConfigFile } from '../../config/load-config.ts';
import { studyNameSchema } from '../../config/experiment-name.ts';
import { InvalidConfig } from '../../config/invalid-config.ts';
import { resolveStudy } from '../../config/resolve-study.ts';
import { studyPresetPath } from '../../config/study-presets.ts';
import { taskQueues } from '../../workers/task-queues.ts';
import { command, jsonFlag } from '../command.ts';
import { type Temporal, withTemporal } from '../connect.ts';
import { createDisplay, type Display } from '../display.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { followStudy } from '../follow-study.ts';
import { interruptSignal } from '../interrupt-signal.ts';
import { openLocalServer } from '../local-server.ts';
import { hasWorker } from '../no-worker.ts';
import { tellStudyEnding } from '../tell-study-ending.ts';
import { uiUrlOf } from '../temporal-address.ts';
import { superviseWorker } from '../worker-process.ts';

/** `colloquy study CONFIG [key=value ...]` */
export const study = command({
  name: 'study',
  description: 'run methods x experiments x seeds and compare them: the tables and figures of the paper',
  examples: [
    'colloquy study laptop             # configs/studies/laptop.yaml, on this machine alone',
    'colloquy study configs/studies/table-1.yaml seeds=[0,1,2]',
    'colloquy study mine.yaml --detach',
    'The same command goes on where it was; with more methods or seeds it runs those alone.',
    'Without a configured Temporal server, and without a worker, it starts what is missing, and stops it at the end.',
  ],
  args: {
    config: {
      type: 'positional',
      description: 'a YAML or JSON file, or the name of one in configs/studies, then key=value ...',
      required: true,
    },
    detach: {
      type: 'boolean',
      description: 'start it and leave: needs a server and a worker',
      default: false,
    },
    ...jsonFlag,
  },
  takesMore: true,
  run: async ({ _: words, detach, json }) => {
    const { name, input } = studyFromConfig(words);
    const display = createDisplay(json ? process.stderr : process.stdout);
    if (detach) {
      await withTemporal((temporal) => start(temporal, name, input, display));
      return exitCodes.ok;
    }
    const { signal, dispose } = interruptSignal();
    const server = await openLocalServer(display);
    try {
      return await withTemporal((temporal) =>
        runAndFollow(temporal, { name, input, json, display, signal, comeBack: comeBack(words) }),
      );
    } finally {
      await server.stop();
      dispose();
    }
  },
});

type Options = {
  readonly name: string;
  readonly input: object;
  readonly json: boolean;
  readonly display: Display;
  readonly signal: AbortSignal;
  readonly comeBack: string;
};

/** With a worker of its own where nobody else works; whatever is started here is stopped here. */
async function runAndFollow(
  temporal: Temporal,
  { name, input, json, display, signal, comeBack }: Options,
): Promise<ExitCode> {
  const worker = (await hasWorker(temporal)) ? undefined : await superviseWorker({ display });
  try {
    await start(temporal, name, input, display);
    const stop = worker === undefined ? signal : AbortSignal.any([signal, worker.gaveUp]);
    const ending = await followStudy(temporal, name, { display, signal: stop });
    return tellStudyEnding(ending, { name, json, comeBack, goesOn: worker === undefined });
  } finally {
    if (signal.aborted && worker !== undefined) display.say('Stopping: what is in flight is being saved ...');
    await worker?.stop();
    display.stop();
  }
}

async function start(temporal: Temporal, name: string, input: object, display: Display): Promise<void> {
  try {
    await temporal.client.workflow.start('study', {
      workflowId: name,
      taskQueue: taskQueues.control,
      args: [input],
      staticSummary: `A study: ${resolveStudy(name, input).cells.length} experiments`,
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
    });
    display.say(`Started the study ${name}`);
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    display.say(`Attached to the study ${name}, which is running`);
  }
  const ui = uiUrlOf(temporal.address, name);
  if (ui !== undefined) display.say(`Web UI, while this runs: ${ui}`);
}

/** @throws InvalidConfig with every fault, before anything is started */
function studyFromConfig([given = '', ...overrides]: readonly string[]): { name: string; input: object } {
  const path = existsSync(given) ? resolve(given) : (studyPresetPath(given) ?? resolve(given));
  const { name, input } = loadConfigFile(path, overrides);
  const parsed = studyNameSchema.safeParse(name);
  if (!parsed.success) {
    const message = `"${name}" cannot name a study: ${parsed.error.issues[0]?.message ?? ''}. Give another with name=…`;
    throw new InvalidConfig([{ path: 'name', message }], path);
  }
  resolveStudy(name, input);
  return { name, input };
}

function comeBack(words: readonly string[]): string {
  return ['npx colloquy study', ...words].join(' ');
}
