/** What the pages say of experiments that a real Temporal server runs. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { askTemporal } from '../../src/cli/commands/ui.ts';
import { freePort } from '../../src/engines/process/process-group.ts';
import { openStore } from '../../src/store/store.ts';
import { openContents } from '../../src/ui/contents.ts';
import { createUi } from '../../src/ui/server.ts';
import { progressQuery } from '../../src/workflows/progress.ts';
import { colloquy } from '../cli/colloquy.ts';
import { until } from '../support/until.ts';
import { type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

let rig: WorkflowRig;
const live = askTemporal();
beforeAll(async () => {
  rig = await workflowRig('ui');
});
afterAll(async () => {
  await live.close();
  await rig[Symbol.asyncDispose]();
});
afterEach(() => {
  vi.unstubAllEnvs();
});

async function page(address: string): Promise<string> {
  // Each page asks again: nothing is remembered from the page before.
  const ui = createUi({ contents: openContents(openStore(rig.storeRoot)), live });
  await new Promise<void>((listening) => ui.listen(0, '127.0.0.1', listening));
  try {
    const { port } = ui.address() as AddressInfo;
    return await (await fetch(`http://127.0.0.1:${port}${address}`)).text();
  } finally {
    ui.closeAllConnections();
    ui.close();
  }
}

describe('the pages, beside a Temporal server', () => {
  it('show an experiment that waits with its reason and commands, and then as finished with its report', async () => {
    await rig.engine.answerWith(403);
    const handle = await rig.start('waits', { iterations: 1 });
    await until('it is parked', async () => (await handle.query(progressQuery)).state === 'parked');
    const list = await page('/');
    expect(list).toContain('1 waiting for you');
    expect(list).toContain('<pre>colloquy retry waits</pre>');
    const own = await page('/store/waits/');
    for (const each of ['parked', 'EngineRefused', 'colloquy abort waits', 'Resolved config'])
      expect(own).toContain(each);

    await rig.engine.answerWith(200);
    expect((await colloquy('retry', 'waits')).code).toBe(0);
    await handle.result();
    const finished = await page('/store/waits/');
    for (const each of ['finished', 'What it took', 'debates.html']) expect(finished).toContain(each);
    expect(finished).not.toContain('data-refresh');
  });

  it('say of an experiment that was ended by force that it was, and why', async () => {
    await rig.engine.answerWith(403);
    const handle = await rig.start('ended');
    await handle.terminate('the machine is needed');
    await rig.engine.answerWith(200);
    expect(await page('/store/ended/')).toContain('the machine is needed');
  });

  it('say which server does not answer, or knows no such namespace', async () => {
    const port = await freePort();
    vi.stubEnv('TEMPORAL_ADDRESS', `127.0.0.1:${port}`);
    expect(await askTemporal().list()).toEqual({ silent: expect.stringContaining(`127.0.0.1:${port}`) });
    vi.unstubAllEnvs();
    vi.stubEnv('TEMPORAL_NAMESPACE', 'nobody-made-this');
    const other = askTemporal();
    expect(await other.list()).toEqual({ silent: expect.stringContaining('nobody-made-this') });
    // It is not asked again at once.
    vi.unstubAllEnvs();
    expect(await other.experiment('waits')).toEqual({ silent: expect.stringContaining('nobody-made-this') });
  });
});

describe('colloquy ui', () => {
  it('says that its port is taken, and what to do', async () => {
    const taken = createServer();
    await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening));
    const { port } = taken.address() as AddressInfo;
    const { code, err, out } = await colloquy('ui', '--port', String(port));
    taken.close();
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(`Nothing can listen at 127.0.0.1:${port}`);
    expect(err).toContain('Name another port with --port');
  });
});
