import { describe, expect, it } from 'vitest';
import { SetupProblem } from '../../scripts/setup/problem.mjs';
import { ask, run } from '../../scripts/setup/run.mjs';

const node = process.execPath;
const limits = { timeoutSeconds: 60, what: 'The test program' };

describe('a program that the set-up runs', () => {
  it('gives what it printed', async () => {
    expect(await run(node, ['-e', 'console.log(6 * 7)'], limits)).toBe('42\n');
  });

  it('is a problem with its last words when it fails', async () => {
    const failing = run(node, ['-e', 'console.error("no such package"); process.exit(3)'], limits);
    await expect(failing).rejects.toThrow(SetupProblem);
    await expect(failing).rejects.toThrow(/The test program failed \(exit code 3\)[^]*no such package/);
    await expect(failing).rejects.toMatchObject({ remedy: expect.stringContaining('run this again') });
  });

  it('says when it was the network', async () => {
    const failing = run(
      node,
      ['-e', 'console.error("getaddrinfo EAI_AGAIN registry"); process.exit(1)'],
      limits,
    );
    await expect(failing).rejects.toMatchObject({ remedy: expect.stringContaining('network') });
  });

  it('is ended when it takes too long', async () => {
    const endless = run(node, ['-e', 'setInterval(() => {}, 1000)'], { ...limits, timeoutSeconds: 0.2 });
    await expect(endless).rejects.toThrow(/no end after 0\.2 s/);
  });

  it('may be absent: then it answers nothing', async () => {
    expect(await ask('/no/such/program', ['--version'])).toBeNull();
  });
});
