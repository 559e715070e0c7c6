/** The commands that steer a running experiment: each sends one update to its workflow. */
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { changeableSettings, usedUp } from '../../algorithm/steering.ts';
import { settingsOf } from '../../config/load.ts';
import type { ConfigChange } from '../../store/records/config-changes.ts';
import {
  abortUpdate,
  changeUpdate,
  pauseUpdate,
  type Progress,
  resumeUpdate,
  retryUpdate,
  setBudgetUpdate,
  setIterationsUpdate,
} from '../../workflows/progress.ts';
import { budgetText, progressTable } from '../../workflows/progress-table.ts';
import type { StudyProgress } from '../../workflows/study-progress.ts';
import { experimentName } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { sendUpdate, type Update } from '../server/workflow.ts';
import { withTemporal } from '../server/connect.ts';
import { printJson } from '../terminal.ts';

/** `colloquy pause NAME` */
export const pause = steeringCommand('pause', [
  'colloquy pause demo',
  'colloquy resume demo      # goes on from there',
]).action((name, { json }) =>
  steer(name, json, {
    update: (handle) => handle.executeUpdate(pauseUpdate),
    done: (progress) => `${progressTable(progress).state}. To go on: colloquy resume ${name}`,
  }),
);

/** `colloquy resume NAME` */
export const resume = steeringCommand('resume', ['colloquy resume demo']).action((name, { json }) =>
  steer(name, json, { update: (handle) => handle.executeUpdate(resumeUpdate), done: () => 'goes on' }),
);

/** `colloquy retry NAME` */
export const retry = steeringCommand('retry', [
  'colloquy status demo      # shows what it waits for',
  'colloquy retry demo',
]).action((name, { json }) =>
  steer(name, json, {
    update: (handle) => handle.executeUpdate(retryUpdate),
    done: () => 'tries again what it waited for',
  }),
);

/** `colloquy abort NAME` */
export const abort = steeringCommand('abort', [
  'colloquy abort demo',
  'colloquy abort demo --reason "wrong model"',
])
  .option('--reason <text>', 'keep this text with the failure (default: none)')
  .action((name, { json, reason = '' }) =>
    steer(name, json, {
      update: (handle) => handle.executeUpdate<Progress, [string]>(abortUpdate.name, { args: [reason] }),
      done: () => 'aborted. What is finished stays',
    }),
  );

/** `colloquy set-iterations NAME N` */
export const setIterations = steeringCommand('set-iterations', ['colloquy set-iterations demo 5'])
  .argument('<iterations>', 'iterations in all; not less than the current one', iterationCount)
  .action((name, iterations, { json }) =>
    steer(name, json, {
      update: (handle) => handle.executeUpdate(setIterationsUpdate, { args: [iterations] }),
      done: () => `${iterations} ${iterations === 1 ? 'iteration' : 'iterations'} in all`,
    }),
  );

/** `colloquy set-budget NAME key=value ...` */
export const setBudget = steeringCommand('set-budget', [
  'colloquy set-budget demo tokens=2000000',
  'colloquy set-budget demo wall_seconds=36000 device_seconds=null     # null: no limit',
  'colloquy set-budget my-study tokens=50000000     # of all its experiments together: total_budget',
])
  .argument('<limits...>', 'tokens, device_seconds and wall_seconds, as key=value')
  .action(async (name, limits, { json }) => {
    const answer = await withTemporal((temporal) =>
      sendUpdate(
        temporal,
        name,
        (handle) =>
          handle.executeUpdate<Progress | StudyProgress, [Readonly<Record<string, unknown>>]>(
            setBudgetUpdate.name,
            { args: [settingsOf(limits)] },
          ),
        'either',
      ),
    );
    const { budget, state } = answer;
    const waits =
      state === 'parked' || (budget !== undefined && 'study' in answer && usedUp(budget).length > 0);
    if (json) printJson(answer);
    else
      console.log(
        `${name}: ${budget === undefined ? 'no budget' : budgetText(budget)}; ${waits ? 'still waits: see colloquy status' : 'goes on'}`,
      );
  });

/** `colloquy change NAME key=value ...` */
export const change = steeringCommand('change', [
  'colloquy change demo fine_tune.learning_rate=1e-4',
  'colloquy change demo fine_tune.per_device_train_batch_size=2 fine_tune.gradient_checkpointing=true',
  'colloquy retry demo       # if it waits',
  `These settings, and those below them, can be changed: ${Object.keys(changeableSettings).join(', ')}.`,
])
  .argument('<settings...>', 'as key=value')
  .action((name, settings, { json }) =>
    steer(name, json, {
      update: (handle) => handle.executeUpdate(changeUpdate, { args: [settingsOf(settings)] }),
      done: ({ state, changes = [] }: Progress & { readonly changes?: readonly ConfigChange[] }) =>
        [
          ...(changes.length === 0
            ? ['nothing changed: the settings already have these values']
            : changes.map(changeText)),
          ...(state === 'parked' ? [`to try again: colloquy retry ${name}`] : []),
        ].join('; '),
    }),
  );

function changeText({ path, before, after, fromIteration }: ConfigChange): string {
  return `${path} is ${JSON.stringify(after)} (was ${JSON.stringify(before)}) from iteration ${fromIteration} on`;
}

function steeringCommand(name: string, examples: readonly string[]) {
  return command(name, examples)
    .argument('<name>', "the experiment's name", experimentName)
    .addOption(jsonOption);
}

function iterationCount(given: string): number {
  if (/^\d+$/.test(given)) return Number(given);
  throw new InvalidArgumentError('Expected a number of iterations.');
}

/** Sends the update and prints what the experiment does now. */
async function steer(
  name: string,
  json: true | undefined,
  { update, done }: { readonly update: Update; readonly done: (progress: Progress) => string },
): Promise<void> {
  const progress = await withTemporal((temporal) => sendUpdate(temporal, name, update));
  if (json) printJson(progress);
  else console.log(`${name}: ${done(progress)}`);
}
