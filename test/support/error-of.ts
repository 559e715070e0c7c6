import { expect } from 'vitest';

/** The error with which `promise` fails. It has to fail. */
export async function errorOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.fail('it should have failed'),
    (error: unknown) => error as Error,
  );
}
