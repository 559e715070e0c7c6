import { withTemporal } from './connect.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { seriesName } from './experiment-argument.ts';
import { printJson } from './print-json.ts';
import { findSchedule, type Schedule } from './schedules.ts';

/**
 * Does something to the schedule that the command line names, and tells what was done.
 *
 * @throws ScheduleNotFound
 */
export async function changeSchedule(
  args: { readonly name: string; readonly json: boolean },
  change: (schedule: Schedule) => Promise<string>,
): Promise<ExitCode> {
  const name = seriesName(args.name);
  const said = await withTemporal(async (temporal) => change(await findSchedule(temporal, name)));
  if (args.json) printJson({ name, said });
  else console.log(`${name}: ${said}`);
  return exitCodes.ok;
}
