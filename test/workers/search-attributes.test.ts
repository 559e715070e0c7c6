import { NativeConnection } from '@temporalio/worker';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { setsSearchAttributes } from '../../src/workers/search-attributes.ts';
import { telemetrySettings } from '../../src/observe/settings.ts';
import { temporalAddress } from '../setup/temporal-address.ts';
import { until } from '../support/until.ts';

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
