import type { Logger } from 'pino';
import { onReport } from './reports.ts';
import { currentStep } from './step-context.ts';

/** Writes to the log what engines and trainers report: a line for what is rare, none for what happens with every answer. */
export function logReports(log: Logger): void {
  onReport('engine started', (engine) =>
    log.info(engine, engine.starts > 1 ? 'engine restarted' : 'engine started'),
  );
  onReport('engine died', (engine) => log.warn(engine, 'engine died'));
  onReport('adapter loaded', (adapter) => log.info(adapter, 'adapter loaded'));
  onReport('checkpoint', (checkpoint) => log.info(checkpoint, 'checkpoint written'));
  onReport('fine-tune step', (step) => log.debug(step, 'fine-tune step'));
  onReport('fine-tune ended', ({ beganAt, endedAt, ...fineTune }) =>
    log.info({ ...fineTune, seconds: (endedAt - beganAt) / 1000 }, 'fine-tune ended'),
  );
  onReport('questions left out', (questions) => log.warn(questions, 'questions left out'));
  onReport('shard answered', ({ endpoint, answers, asked, beganAt, endedAt }) =>
    log.debug(
      { ...currentStep(), endpoint, answers, asked, seconds: (endedAt - beganAt) / 1000 },
      'shard answered',
    ),
  );
}
