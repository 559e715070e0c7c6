import type { Command } from './command.ts';
import { abort } from './commands/abort.ts';
import { dev } from './commands/dev.ts';
import { grade } from './commands/grade.ts';
import { pause } from './commands/pause.ts';
import { presets } from './commands/presets.ts';
import { quickstart } from './commands/quickstart.ts';
import { report } from './commands/report.ts';
import { resume } from './commands/resume.ts';
import { retry } from './commands/retry.ts';
import { run } from './commands/run.ts';
import { setIterations } from './commands/set-iterations.ts';
import { show } from './commands/show.ts';
import { status } from './commands/status.ts';
import { validate } from './commands/validate.ts';
import { worker } from './commands/worker.ts';

/** All commands, in the order in which one meets them. */
export const commands: readonly Command[] = [
  quickstart,
  dev,
  worker,
  run,
  status,
  pause,
  resume,
  retry,
  abort,
  setIterations,
  show,
  report,
  validate,
  presets,
  grade,
];
