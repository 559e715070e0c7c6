import type { Progress } from './progress.ts';
import { refuseIf } from './refuse-if.ts';

/** As in the config's schema: a run's state stays small enough to be carried. */
const mostIterations = 100;

/** Of the update `setIterations`. @throws ApplicationFailure `Refused` when that many iterations cannot be done any more */
export function refuseIterations(iterations: number, { phase, iteration, learns }: Progress): void {
  refuseIf(
    !Number.isInteger(iterations),
    `iterations must be a whole number, not ${JSON.stringify(iterations)}.`,
  );
  refuseIf(iterations > mostIterations, `iterations must be at most ${mostIterations}.`);
  refuseIf(
    !learns && iterations > 0,
    'Nothing can be fine-tuned in this experiment (by its method, or as its endpoint serves no fine-tuned models): it has no iterations.',
  );
  refuseIf(phase === 'preparing', 'The experiment is still being prepared; try again in a moment.');
  refuseIf(
    phase === 'reporting' || phase === 'done',
    'The last iteration is over; start the experiment anew.',
  );
  const least = Math.max(1, iteration);
  refuseIf(iterations < least, `Iteration ${iteration} is under way: iterations must be at least ${least}.`);
}
