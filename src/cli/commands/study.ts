import { command, commandLine, jsonOption, setExitCode, studyFromConfig } from '../command.ts';
import { createDisplay, type Display } from '../display.ts';
import type { ExitCode } from '../../errors.ts';
import { type Temporal, uiUrlOf, withTemporal } from '../server/connect.ts';
import { openLocalServer, superviseWorker } from '../server/local-server.ts';
import { hasWorker } from '../server/workflow.ts';
import { followStudy, printStudyEnding } from '../study/follow.ts';
import { startStudy } from '../study/start.ts';
import { interruptSignal } from '../terminal.ts';

/** `colloquy study CONFIG [key=value ...]` */
export const study = command(
  'study',
  'run methods x experiments x seeds and compare them: the tables and figures of the paper',
  [
    'colloquy study laptop             # configs/studies/laptop.yaml, on this machine alone',
    `colloquy study configs/studies/table-1.yaml 'seeds=[0,1,2]'`,
    'colloquy study mine.yaml --detach',
    'The same command goes on where it was; with more methods or seeds it runs only those.',
    'Without a configured Temporal server, or without a worker, it starts its own and stops it at the end.',
  ],
)
  .argument('<config>', 'a YAML or JSON file, or the name of one in configs/studies')
  .argument('[overrides...]', 'settings to change, as key=value')
  .option('--detach', 'start it and leave: needs a server and a worker')
  .addOption(jsonOption)
  .action(async (config, overrides, { detach, json = false }) => {
    const { name, input } = studyFromConfig(config, overrides);
    const display = createDisplay(json ? process.stderr : process.stdout);
    if (detach) return withTemporal((temporal) => start(temporal, name, input, display));
    const comeBack = commandLine('npx colloquy study', [config, ...overrides]);
    const { signal, dispose } = interruptSignal();
    const server = await openLocalServer(display.say);
    try {
      const options = { name, input, json, display, signal, comeBack };
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
};

/** Starts a worker if no other one runs, and stops it at the end. */
async function runAndFollow(
  temporal: Temporal,
  { name, input, json, display, signal, comeBack }: Options,
): Promise<ExitCode> {
  const worker = (await hasWorker(temporal)) ? undefined : await superviseWorker(display.say);
  try {
    await start(temporal, name, input, display);
    const stop = worker === undefined ? signal : AbortSignal.any([signal, worker.gaveUp]);
    const ending = await followStudy(temporal, name, { display, signal: stop });
    return await printStudyEnding(ending, { name, json, comeBack, goesOn: worker === undefined });
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
