import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tools } from '../../src/config/installation.ts';
import { DevServerDatabaseInUse, spawnWithParent } from '../../src/workers/dev-server-process.ts';
import { freePort } from '../../src/engines/process/process-group.ts';
import {
  type DevServer,
  DevServerFailed,
  portWasTaken,
  startDevServer,
} from '../../src/workers/dev-server.ts';
import { searchAttributes } from '../../src/workflows/track-progress.ts';
import { ownMounts, outputOf, runChild } from '../store/faults/run-child.ts';
import { oddName } from '../support/scratch-folder.ts';
import { until } from '../support/until.ts';

describe('the Temporal dev server', () => {
  let folder: string;
  let taken: Server;
  let takenPort: number;
  let server: DevServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), oddName));
    taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    takenPort = (taken.address() as AddressInfo).port;
    server = await startDevServer({ dbFilename: join(folder, 'temporal.db'), port: takenPort, uiPort: 0 });
  });

  afterAll(async () => {
    await server.stop();
    taken.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('answers for its default namespace, and its UI is served', async () => {
    const connection = await Connection.connect({ address: server.address });
    const client = new Client({ connection });
    const { namespaceInfo } = await client.workflowService.describeNamespace({ namespace: 'default' });
    expect(namespaceInfo?.name).toBe('default');
    await connection.close();
    expect((await fetch(server.uiUrl!)).status).toBe(200);
  });

  it('has its database where it was asked for, whatever characters are in the path', () => {
    expect(readdirSync(folder)).toContain('temporal.db');
  });

  it('takes another port than one that is taken, and says so', () => {
    expect(server.address).not.toBe(`127.0.0.1:${takenPort}`);
    expect(server.portChanged).toBe(true);
  });

  it('is not started twice on one database', async () => {
    const second = startDevServer({ dbFilename: join(folder, 'temporal.db'), port: 0, headless: true });
    await expect(second).rejects.toThrow(DevServerDatabaseInUse);
    await expect(second).rejects.toThrow(server.address);
  });

  it('knows the search attributes at once, also with a database that was made without them', async () => {
    const dbFilename = join(folder, 'older.db');
    const port = await freePort();
    const flags = ['--headless', '--ip=127.0.0.1', `--port=${port}`, '--db-filename=older.db'];
    const older = spawnWithParent(tools().temporal, ['server', 'start-dev', ...flags], {
      stdout: 'ignore',
      stderr: 'ignore',
      cwd: folder,
    });
    await until('the older server answers', async () => {
      const connection = await Connection.connect({ address: `127.0.0.1:${port}` }).catch(() => undefined);
      await connection?.close();
      return connection !== undefined;
    });
    await older.stop();
    const newer = await startDevServer({ dbFilename, port: 0, headless: true });
    const connection = await Connection.connect({ address: newer.address });
    try {
      await new Client({ connection }).workflow.start('experiment', {
        workflowId: 'parked',
        taskQueue: 'nobody',
        typedSearchAttributes: [
          { key: searchAttributes.state, value: 'parked' },
          { key: searchAttributes.iteration, value: 1 },
        ],
      });
    } finally {
      await connection.close();
      await newer.stop();
    }
  });

  it('says why it ended when it cannot start', async () => {
    const options = {
      port: 0,
      headless: true,
      logFile: join(folder, 'no.log'),
      extraArgs: ['--no-such-flag'],
    };
    const failing = startDevServer(options);
    await expect(failing).rejects.toThrow(DevServerFailed);
    await expect(failing).rejects.toThrow(/no-such-flag/);
  });

  it('is started again when another process took one of its ports, also where the reason stands above a long stack', () => {
    const stack = Array.from({ length: 40 }, (_, line) => `github.com/temporalio/cli/part.go:${line}`).join(
      '\n',
    );
    const panics = [
      'panic: listen tcp 127.0.0.1:34567: bind: address already in use',
      'panic: failed assigning ephemeral port: failed to assign a free port: dial tcp',
    ];
    for (const panic of panics)
      expect(portWasTaken(`${panic}\n\ngoroutine 1 [running]:\n${stack}`)).toBe(true);
    expect(portWasTaken(`panic: no such table\n${stack}`)).toBe(false);
  });

  const mounts = ownMounts();
  it.skipIf(mounts === null)(
    'on a full disk says so, and where',
    async () => {
      const disk = join(folder, 'full');
      await mkdir(disk);
      const mounted =
        'mount -t tmpfs -o size=256k tmpfs "$0" && head -c 300000 /dev/zero > "$0/ballast" 2>/dev/null; exec "$@"';
      const wrapper = [...(mounts ?? []), 'sh', '-c', mounted, disk];
      const output = await outputOf(
        runChild('dev-server-on-full-disk.ts', [join(disk, 'temporal.db')], wrapper),
      );
      expect(output).toMatch(/^DiskFull: No room left to write .*temporal\.db/);
    },
    120_000,
  );

  it('names the panic that ended it', async () => {
    const logFile = join(folder, 'panic.log');
    await writeFile(logFile, `panic: no such table\n${'at a.go\n'.repeat(40)}`);
    expect(new DevServerFailed('ended with 2', logFile).message).toContain('(panic: no such table)');
  });
});
