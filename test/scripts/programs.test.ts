import { describe, expect, it } from 'vitest';
import { ask, atLeast, parseVersion, run } from '../../scripts/setup/programs.mjs';
import { SetupProblem } from '../../scripts/setup/set-up.mjs';

const node = process.execPath;
const limits = { timeoutSeconds: 60, what: 'The test program' };

describe('a program that the set-up runs', () => {
  it('gives what it printed', async () => {
    expect(await run(node, ['-e', 'console.log(6 * 7)'], limits)).toBe('42\n');
  });

  it('passes on what it prints while it runs', async () => {
    let printed = '';
    const onOutput = (text: string): unknown => (printed += text);
    await run(node, ['-e', 'console.log("one"); console.error("two")'], { ...limits, onOutput });
    expect(printed.trim().split('\n').toSorted()).toEqual(['one', 'two']);
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

describe('a version', () => {
  it.each([
    ['Python 3.11.7', [3, 11, 7]],
    ['go version go1.26.8 linux/amd64', [1, 26, 8]],
    ['1.29', [1, 29, 0]],
    ['devel', null],
  ])('is read from what a program prints: %s', (text, version) => {
    expect(parseVersion(text)).toEqual(version);
  });

  it.each([
    ['20.19.0', '20.19', true],
    ['20.18.9', '20.19', false],
    ['22.0.0', '20.19', true],
    ['3.9.18', '3.11', false],
    ['3.11.0', '3.11', true],
    ['3.100.0', '3.11', true],
    ['none', '3.11', false],
  ])('%s is at least %s: %s', (version, minimum, expected) => {
    expect(atLeast(version, minimum)).toBe(expected);
  });
});
