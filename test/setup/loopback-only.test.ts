import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';

describe('a test', () => {
  it('cannot reach another machine', async () => {
    await expect(fetch('http://192.0.2.1/')).rejects.toThrow();
    const socket = connect({ host: 'example.invalid', port: 80 });
    const [error] = (await once(socket, 'error').catch((reason: unknown) => [reason])) as [Error];
    expect(error.message).toMatch(/tried to reach example\.invalid/);
  });
});
