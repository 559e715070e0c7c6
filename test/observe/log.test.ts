import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StoreNotWritable } from '../../src/store/errors.ts';
import { InvalidEnvironment, telemetrySettings } from '../../src/observe/install-runtime.ts';
import { openWorkerLog } from '../../src/observe/log-metrics-traces.ts';
import { withWholeErrors } from '../../src/observe/install-runtime.ts';
import { until } from '../support/until.ts';

describe("a worker's log", () => {
  let folder = '';
  let printed = '';
  const console = (isTTY: boolean) => ({ isTTY, write: (line: string) => (printed += line).length > 0 });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'colloquy-log-'));
    printed = '';
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is a JSON object a line in its file, and the same outside of a terminal', async () => {
    const file = join(folder, 'logs', 'worker.log');
    const log = await openWorkerLog(file, 'info', console(false));
    log.info({ experiment: 'demo', step: 'debate-i1-train-s003', shard: 3 }, 'step finished');
    log.debug('not asked for');
    expect(readFileSync(file, 'utf8')).toBe(printed);
    expect(JSON.parse(printed)).toMatchObject({
      level: 'info',
      experiment: 'demo',
      shard: 3,
      msg: 'step finished',
    });
  });

  it('begins again when the store was removed', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    try {
      const file = join(folder, 'logs', 'worker.log');
      const log = await openWorkerLog(file, 'info');
      log.info('before');
      rmSync(join(folder, 'logs'), { recursive: true });
      await vi.advanceTimersByTimeAsync(10_000);
      await until('there is a file again', () => existsSync(file));
      log.info('after');
      expect(readFileSync(file, 'utf8')).toContain('after');
    } finally {
      vi.useRealTimers();
    }
  });

  it('has errors whole, with their causes', () => {
    const error = new TypeError('outer', { cause: new RangeError('inner') });
    const { error: logged, queue } = JSON.parse(JSON.stringify(withWholeErrors({ error, queue: 'q' }))) as {
      error: object;
      queue: string;
    };
    expect(logged).toMatchObject({ type: 'TypeError', message: 'outer', cause: { message: 'inner' } });
    expect(logged).toHaveProperty('stack');
    expect(queue).toBe('q');
  });

  it('that cannot be written says so, and what to do', async () => {
    const path = join(folder, 'worker.log');
    mkdirSync(path);
    await expect(openWorkerLog(path, 'info')).rejects.toThrow(/EISDIR/);
    // Root may write almost everywhere, but not there.
    await expect(openWorkerLog('/sys/worker.log', 'info')).rejects.toThrow(StoreNotWritable);
  });

  it('is a readable line for each event on a terminal, whatever a server has said', async () => {
    const log = await openWorkerLog(join(folder, 'worker.log'), 'info', console(true));
    log.warn({ experiment: 'demo', step: 'prepare', shard: 3, says: 'a\nb \u001b[2J' }, 'step failed');
    const line = stripVTControlCharacters(printed);
    expect(line).toMatch(
      /^\[\d\d:\d\d:\d\d\] WARN: step failed \{"experiment":"demo","step":"prepare","says":/,
    );
    expect(line.trim().split('\n')).toHaveLength(1);
    expect(printed).not.toContain('\u001b[2J');
  });
});

describe('what a worker logs', () => {
  it('is the log alone, at info, unless the environment says otherwise', () => {
    const silent = { logLevel: 'info', metricsAddress: undefined, traces: false, searchAttributes: false };
    expect(telemetrySettings({})).toEqual(silent);
    expect(telemetrySettings({ COLLOQUY_LOG_LEVEL: '', COLLOQUY_SEARCH_ATTRIBUTES: '0' })).toEqual(silent);
  });

  it.each([
    ['COLLOQUY_LOG_LEVEL', 'loud', /trace, debug/],
    ['COLLOQUY_METRICS_ADDRESS', '9464', /127\.0\.0\.1:9464/],
    ['COLLOQUY_SEARCH_ATTRIBUTES', 'yes', /1 \(set them\)/],
  ])('is refused when %s is %s, with what it may be', (variable, value, words) => {
    expect(() => telemetrySettings({ [variable]: value })).toThrow(InvalidEnvironment);
    expect(() => telemetrySettings({ [variable]: value })).toThrow(words);
  });

  it('goes to a collector where one is named, and to none when OpenTelemetry is switched off', () => {
    const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
    expect(telemetrySettings(collector).traces).toBe(true);
    expect(telemetrySettings({ ...collector, OTEL_SDK_DISABLED: 'true' }).traces).toBe(false);
  });
});
