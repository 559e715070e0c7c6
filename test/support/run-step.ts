import type { Info } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { activity, type Attempted, type Dependencies, type Step } from '../../src/activities/activity.ts';

/** The SDK's mock of what is around an activity, with its first attempt unless `info` says otherwise. It logs nothing. */
export function activityEnvironment(info: Partial<Info> = {}): MockActivityEnvironment {
  return new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR', () => undefined) });
}

/** Runs a step as the activity that a worker makes of it, with no server and no worker. */
export async function runStep<Input, Output>(
  step: Step<Input, Output>,
  input: Input,
  dependencies: Dependencies,
  environment: MockActivityEnvironment = activityEnvironment(),
): Promise<Output> {
  const run = activity(step, dependencies);
  const { output } = await environment.run<[Input], Attempted<Output>, typeof run>(run, input);
  return output;
}

/** What is shown in the heartbeats of an activity, each with all that was shown before it. */
export function beatsOf(environment: MockActivityEnvironment): object[] {
  const beats: object[] = [];
  environment.on('heartbeat', (details: object) => beats.push(details));
  return beats;
}
