import type { Command } from './command.ts';
import { abort } from './commands/abort.ts';
import { compare } from './commands/compare.ts';
import { dev } from './commands/dev.ts';
import { exportCommand } from './commands/export.ts';
import { grade } from './commands/grade.ts';
import { pause } from './commands/pause.ts';
import { presets } from './commands/presets.ts';
import { quickstart } from './commands/quickstart.ts';
import { report } from './commands/report.ts';
import { resume } from './commands/resume.ts';
import { retry } from './commands/retry.ts';
import { run } from './commands/run.ts';
import { scheduleCreate } from './commands/schedule-create.ts';
import { scheduleDelete } from './commands/schedule-delete.ts';
import { scheduleList } from './commands/schedule-list.ts';
import { schedulePause } from './commands/schedule-pause.ts';
import { scheduleShow } from './commands/schedule-show.ts';
import { scheduleTrigger } from './commands/schedule-trigger.ts';
import { scheduleUnpause } from './commands/schedule-unpause.ts';
import { setIterations } from './commands/set-iterations.ts';
import { show } from './commands/show.ts';
import { status } from './commands/status.ts';
import { study } from './commands/study.ts';
import { validate } from './commands/validate.ts';
import { worker } from './commands/worker.ts';

/** All commands, in the order in which one meets them. */
export const commands: readonly Command[] = [
  quickstart,
  dev,
  worker,
  run,
  study,
  status,
  pause,
  resume,
  retry,
  abort,
  setIterations,
  show,
  report,
  compare,
  exportCommand,
  scheduleCreate,
  scheduleList,
  scheduleShow,
  schedulePause,
  scheduleUnpause,
  scheduleTrigger,
  scheduleDelete,
  validate,
  presets,
  grade,
];
