import { NamespaceNotFoundError } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { onceReachable, TemporalNotReachable, tolerateOutages } from '../../../src/cli/server/connect.ts';

const server = { address: '127.0.0.1:7233' };
const withoutNamespace = () => Promise.reject(new NamespaceNotFoundError('default'));

describe('a server that has no namespaces yet', () => {
  it('is waited for, as one that does not answer', async () => {
    const read = tolerateOutages(server);
    expect(await read(withoutNamespace)).toBeUndefined();
    expect(await read(async () => 'here')).toBe('here');
    let attempts = 0;
    const work = async () => (++attempts === 1 ? withoutNamespace() : { done: true });
    expect(await onceReachable(server, work)).toEqual({ done: true });
  });

  it('is given up in the end, with the name of the namespace', async () => {
    const read = tolerateOutages(server, -1);
    await expect(read(withoutNamespace)).rejects.toThrow(TemporalNotReachable);
    await expect(read(withoutNamespace)).rejects.toThrow('it has no namespace default');
  });

  it('does not hide another error', async () => {
    await expect(tolerateOutages(server)(() => Promise.reject(new TypeError('no')))).rejects.toThrow(
      TypeError,
    );
  });
});
