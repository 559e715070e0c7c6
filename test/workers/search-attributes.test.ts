import { NativeConnection } from '@temporalio/worker';
import pino from 'pino';
import { describe, expect, it, vi } from 'vitest';
import { NamespaceMissing, setsSearchAttributes, watchNamespace } from '../../src/workers/namespace.ts';
import { startWorkers } from '../../src/workers/start.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { testDependencies } from '../support/test-dependencies.ts';
import { telemetrySettings } from '../../src/observe/install-runtime.ts';
import { temporalAddress } from '../setup/temporal-address.ts';
import { until } from '../support/until.ts';

describe('a worker of a namespace that the server does not have', () => {
  it('ends at once, and says what to do', async () => {
    vi.stubEnv('TEMPORAL_ADDRESS', await temporalAddress());
    vi.stubEnv('TEMPORAL_NAMESPACE', 'no-such-namespace');
    const dependencies = testDependencies({
      storeRoot: temporaryFolder(),
      engineUrl: 'http://127.0.0.1:1/v1',
    });
    const ended = startWorkers({ signal: new AbortController().signal, dependencies });
    await expect(ended).rejects.toThrow(NamespaceMissing);
    await expect(ended).rejects.toThrow('temporal operator namespace create --namespace no-such-namespace');
    vi.unstubAllEnvs();
  });
});

describe('a server that refuses a worker while it runs', () => {
  const codes = { missing: 5, denied: 7, unavailable: 14, here: 0 } as const;
  const final = async (...answers: (keyof typeof codes)[]): Promise<string | undefined> => {
    vi.useFakeTimers();
    const describeNamespace = async () => {
      const code = codes[answers.shift() ?? 'here'];
      if (code !== 0) throw Object.assign(new Error('no'), { code });
      return {};
    };
    const connection = { workflowService: { describeNamespace } } as unknown as NativeConnection;
    let name: string | undefined;
    const end = watchNamespace(connection, 'n', (error) => (name = error.name));
    await vi.advanceTimersByTimeAsync(30_000);
    end();
    vi.useRealTimers();
    return name;
  };

  it('has refused it for good once it has said so three times in a row', async () => {
    expect(await final('missing', 'missing', 'missing')).toBe('NamespaceMissing');
    expect(await final('here', 'denied', 'denied', 'denied')).toBe('WorkerRefused');
    expect(await final('missing', 'here', 'missing', 'missing', 'here')).toBeUndefined();
    expect(await final('unavailable', 'unavailable', 'unavailable', 'unavailable')).toBeUndefined();
  });

  it('may have refused only the question', async () => {
    expect(await final('denied', 'denied', 'denied', 'denied')).toBeUndefined();
  });
});

describe('search attributes', () => {
  it('are left out, with the command that registers them, where the namespace does not know them', async () => {
    const connection = await NativeConnection.connect({ address: await temporalAddress() });
    const lines: string[] = [];
    const log = pino({}, { write: (line) => void lines.push(line) });
    const settings = telemetrySettings({ COLLOQUY_SEARCH_ATTRIBUTES: '1' });
    const sets = (namespace: string): Promise<boolean> =>
      setsSearchAttributes({ settings, log, traces: undefined }, connection, namespace);
    try {
      expect(await sets('default')).toBe(true);
      await connection.workflowService.registerNamespace({
        namespace: 'bare',
        workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
      });
      await until('the namespace is known', async () => {
        lines.length = 0;
        await sets('bare');
        return lines.some((line) => line.includes('not registered in bare'));
      });
      expect(await sets('bare')).toBe(false);
      expect(lines.join('')).toContain('temporal operator search-attribute create --name ColloquyState');
      expect(lines.join('')).toContain('--namespace bare');
      expect(await sets('no-such-namespace')).toBe(false);
    } finally {
      await connection.close();
    }
  });
});
