import { expect, it } from 'vitest';
import type { Progress } from '../../src/workflows/progress.ts';
import { refuseIterations, refuseReason } from '../../src/workflows/updates.ts';

it.each([[undefined], [null], [''], ['the wrong model'], ['é'.repeat(10_000)]])(
  'an abort takes the reason %j',
  (reason) => {
    expect(() => refuseReason(reason)).not.toThrow();
  },
);

it.each([
  ['x'.repeat(10_001), /^The reason has 10001 characters; .* carry 10000\. Give a shorter one\.$/],
  ['x'.repeat(2_000_000), /^The reason has 2000000 characters/],
  [{ why: 'x' }, /^The reason must be a text, not \{"why":"x"\}\.$/],
  [5, /must be a text, not 5\.$/],
])('an abort is refused when its reason is too long or no text', (reason, why) => {
  expect(() => refuseReason(reason)).toThrow(why);
});

it('the number of iterations is refused once the last one is over, e.g. in the evaluation of transfer', () => {
  const evaluating = { phase: 'evaluating', iteration: 2, learns: true } as Progress;
  expect(() => refuseIterations(3, evaluating)).not.toThrow();
  expect(() => refuseIterations(3, { ...evaluating, finishing: true })).toThrow(
    'The last iteration is over; start the experiment again.',
  );
});
