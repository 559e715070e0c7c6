import { expect, it } from 'vitest';
import { retryDelay } from '../../src/engines/endpoint/protocol.ts';

it.each([
  ['the seconds that the server names', '7', 0, 7_000],
  ['a fraction of a second', '0.5', 9, 500],
  ['until the date that the server names', 'Mon, 23 Nov 2026 07:00:10 GMT', 0, 10_000],
  ['no time when that date is past', 'Mon, 23 Nov 2026 06:00:00 GMT', 0, 0],
  ['half a second at first when the server names none', undefined, 0, 500],
  ['twice as long each time', undefined, 3, 4_000],
  ['at most a minute', undefined, 20, 60_000],
  ['a day at most, whatever the server names', '9'.repeat(400), 0, 86_400_000],
  ['a day at most, whatever date it names', 'Fri, 31 Dec 9999 00:00:00 GMT', 0, 86_400_000],
  ['as without a word when it is not understood', 'soon', 0, 500],
])('a busy server is asked again after %s', (_, retryAfter, attempt, expected) => {
  const delay = retryDelay(retryAfter, attempt, Date.parse('2026-11-23T07:00:00Z'));
  expect(delay).toBeGreaterThanOrEqual(expected);
  expect(delay).toBeLessThanOrEqual(expected * 1.1);
});
