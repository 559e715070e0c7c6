import type { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ActivityInterceptors } from '@temporalio/worker';
import { terminalSafe } from '../text/terminal-safe.ts';
import { emit, type StepContext, stepOf, withinStep } from './events.ts';

/** Logs what becomes of each step, and lets all that is logged, counted or traced within it say which step that was. */
export function stepInterceptor(context: Context): ActivityInterceptors {
  let step: StepContext | undefined;
  return {
    inbound: {
      async execute(input, next) {
        const [request] = input.args;
        const current = stepOf(context, request);
        step = current;
        const began = Date.now();
        if (current.attempt > 1) {
          emit('step retried', current);
          context.log.warn('step tried again');
        } else context.log.info('step began');
        try {
          const result: unknown = await withinStep(current, () => next(input));
          context.log.info('step finished', { seconds: secondsSince(began) });
          return result;
        } catch (error) {
          if (error instanceof CancelledFailure)
            context.log.info('step stopped', { seconds: secondsSince(began), why: error.message });
          else context.log.warn('step failed', { seconds: secondsSince(began), ...failureFields(error) });
          throw error;
        }
      },
    },
    outbound: {
      getLogAttributes: (input, next) => next({ ...input, ...step }),
    },
  };
}

function secondsSince(began: number): number {
  return (Date.now() - began) / 1000;
}

/** The beginning of what an error says; all of it is in the step's history. */
function failureFields(error: unknown): {
  readonly cause: string;
  readonly says: string;
  readonly final: boolean;
} {
  const { message } = error instanceof Error ? error : new Error(String(error));
  const failure = error instanceof ApplicationFailure ? error : undefined;
  return {
    cause: failure?.type ?? 'Error',
    says: terminalSafe(message.slice(0, 300)),
    final: failure?.nonRetryable ?? false,
  };
}
