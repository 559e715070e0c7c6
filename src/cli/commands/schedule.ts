/** `colloquy schedule`, and those of its commands that change an existing schedule. */
import { colloquy } from '../../config/installation.ts';
import { seriesName } from '../arguments.ts';
import { command, commandLine, jsonOption, setExitCode } from '../command.ts';
import { createDisplay } from '../display.ts';
import { followToEnd } from './run.ts';
import { scheduleCreate } from './schedule-create.ts';
import { schedulePrune } from './schedule-prune.ts';
import { scheduleList, scheduleShow } from './schedule-show.ts';
import {
  findSchedule,
  noteOf,
  outcomeOfTrigger,
  runningNights,
  type Schedule,
  seriesOf,
  timeIn,
  zoneOf,
} from '../schedule/description.ts';
import { withTemporal } from '../server/connect.ts';
import { printJson } from '../terminal.ts';

/** `colloquy schedule pause NAME` */
export const schedulePause = editCommand('pause', 'start no further nights; one that runs goes on', [
  'colloquy schedule pause nightly --note "the disk is nearly full"',
])
  .option('--note <text>', 'give the reason, which is shown with the schedule', 'paused by hand')
  .action((name, { note, json }) =>
    edit(name, json, async ({ handle }) => {
      await handle.pause(note);
      return `paused. To go on: colloquy schedule unpause ${name}`;
    }),
  );

/** `colloquy schedule unpause NAME` */
export const scheduleUnpause = editCommand(
  'unpause',
  'start nights again; nights that were missed meanwhile are not made up for',
  ['colloquy schedule unpause nightly'],
)
  .option('--note <text>', 'show this text with the schedule (default: the note with which it was made)')
  .action((name, { note, json }) =>
    edit(name, json, async ({ handle, description }) => {
      // Without a note the schedule would keep the one that gives the reason for the pause.
      await handle.unpause(note ?? noteOf(description) ?? 'unpaused by hand');
      const [next] = description.info.nextActionTimes;
      const when = next === undefined ? '' : ` The next night: ${timeIn(zoneOf(description), next)}`;
      return `active again.${when}`;
    }),
  );

/** `colloquy schedule trigger NAME` */
export const scheduleTrigger = editCommand('trigger', 'start a night now, as its overlap policy allows', [
  'colloquy schedule trigger nightly',
  'colloquy schedule trigger nightly --watch     # shows the night until it ends, as `colloquy run` does',
])
  .option('--watch', 'show the night until it ends; Ctrl-C leaves it running')
  .action((name, { watch, json = false }) =>
    withTemporal(async (temporal) => {
      const schedule = await findSchedule(temporal, name);
      // Given explicitly, because the client's default starts a second night beside one that runs.
      await schedule.handle.trigger(schedule.description.policies.overlap);
      const { said, started } = await outcomeOfTrigger(schedule);
      if (!watch || started === undefined) return print(name, said, json);
      const display = createDisplay(json ? process.stderr : process.stdout);
      display.say(`Started ${started}`);
      const comeBack = commandLine(`${colloquy} status`, [started, '--watch']);
      setExitCode(await followToEnd(temporal, started, { display, json, comeBack }));
    }),
  );

/** `colloquy schedule delete NAME` */
export const scheduleDelete = editCommand(
  'delete',
  'remove a schedule; a night that runs goes on, and what nights have made stays',
  ['colloquy schedule delete nightly'],
).action((name, { json }) =>
  edit(name, json, async ({ handle, description }) => {
    await handle.delete();
    const running = runningNights(description);
    const still = running.length > 0 ? ` Still running: ${running.join(', ')}.` : '';
    const series = seriesOf(description);
    const kept =
      series === undefined
        ? ''
        : ` A schedule that is made with this name again goes on with the series ${series}.`;
    return `deleted.${still}${kept}`;
  }),
);

function editCommand(name: string, description: string, examples: readonly string[]) {
  return command(`schedule ${name}`, examples)
    .description(description)
    .argument('<name>', "the schedule's name", seriesName)
    .addOption(jsonOption);
}

/** Changes the schedule and prints what was done. @throws ScheduleNotFound */
async function edit(
  name: string,
  json: true | undefined,
  change: (schedule: Schedule) => Promise<string>,
): Promise<void> {
  print(name, await withTemporal(async (temporal) => change(await findSchedule(temporal, name))), json);
}

function print(name: string, said: string, json: boolean | undefined): void {
  if (json) printJson({ name, said });
  else console.log(`${name}: ${said}`);
}

/** `colloquy schedule ...` */
export const schedule = command('schedule', [
  'colloquy schedule create nightly quickstart iterations=1 --at 02:00',
  'colloquy schedule show nightly',
  'colloquy schedule create --help',
])
  .addCommand(scheduleCreate)
  .addCommand(scheduleList)
  .addCommand(scheduleShow)
  .addCommand(schedulePause)
  .addCommand(scheduleUnpause)
  .addCommand(scheduleTrigger)
  .addCommand(scheduleDelete)
  .addCommand(schedulePrune);
