import type { TrainerDone, TrainerProgress } from '../engines/trainer-events.ts';
import { type FineTune, report } from '../telemetry/reports.ts';

/** Runs a fine-tune and reports its steps, its checkpoints and its end. `train` is given what to call for each of its events. */
export async function reportFineTune(
  { experiment, iteration, agent, role }: FineTune,
  train: (onEvent: (event: TrainerProgress) => void) => Promise<TrainerDone>,
): Promise<void> {
  const whose = { experiment, iteration, agent, role };
  const beganAt = Date.now();
  const { manifest } = await train((event) => {
    const { event: kind } = event;
    if (kind === 'checkpoint') report('checkpoint', { ...whose, step: event.step });
    if (kind !== 'step') return;
    const { step, total_steps: totalSteps, loss, tokens_per_second: tokensPerSecond } = event;
    report('fine-tune step', { ...whose, step, totalSteps, loss, tokensPerSecond });
  });
  const { steps, tokens } = manifest;
  report('fine-tune ended', { ...whose, steps, tokens, beganAt, endedAt: Date.now() });
}
