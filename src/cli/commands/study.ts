import { command, jsonFlag } from '../command.ts';
import { type Temporal, withTemporal } from '../connect.ts';
import { createDisplay, type Display } from '../display.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { followStudy } from '../follow-study.ts';
import { interruptSignal } from '../interrupt-signal.ts';
import { openLocalServer } from '../local-server.ts';
import { hasWorker } from '../no-worker.ts';
import { startStudy } from '../start-study.ts';
import { tellStudyEnding } from '../tell-study-ending.ts';
import { uiUrlOf } from '../temporal-address.ts';
import { studyFromConfig } from '../study-argument.ts';
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
  const done = await startStudy(temporal, name, input);
  display.say(
    done === 'started' ? `Started the study ${name}` : `Attached to the study ${name}, which is running`,
  );
  const ui = uiUrlOf(temporal.address, name);
  if (ui !== undefined) display.say(`Web UI, while this runs: ${ui}`);
}

function comeBack(words: readonly string[]): string {
  return ['npx colloquy study', ...words].join(' ');
}
