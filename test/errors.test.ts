import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const source = fileURLToPath(new URL('../src', import.meta.url));

type Policy = {
  readonly name: string;
  readonly base: string;
  readonly retryable: string;
  readonly exitCode: string;
};

/** Every class of error in src, with what it states about itself. */
const policies: readonly Policy[] = errorFiles()
  .flatMap((text) => [...text.matchAll(/^export (?:abstract )?class (\w+) extends (\w*Error)\b[^]*?^\}/gm)])
  .map(([body, name = '', base = '']) => ({
    name,
    base,
    retryable: /readonly retryable(?: = (true|false))?/.exec(body)?.[1] ?? 'depends on its kind',
    exitCode: /readonly exitCode = exitCodes\.(\w+)/.exec(body)?.[1] ?? 'failed',
  }))
  .toSorted((a, b) => (a.name < b.name ? -1 : 1));

describe('the errors of Colloquy', () => {
  it('all state whether trying again can help, and what the process exits with', () => {
    expect(
      policies
        .filter(({ base, name }) => base === 'Error' && name !== 'ColloquyError')
        .map(({ name }) => name),
    ).toEqual([]);
  });

  it('have the policies that are written down here', async () => {
    const lines = policies.map(
      ({ name, retryable, exitCode }) => `${name}: retryable ${retryable}, exits with ${exitCode}\n`,
    );
    await expect(lines.join('')).toMatchFileSnapshot('error-policies.txt');
  });

  it('have anchors in the runbook, to which messages link', () => {
    const rows = [...runbook().matchAll(/^\| <a id="(\w+)"><\/a>`(\w+)`/gm)].map(([, id, name]) => ({
      id,
      name,
    }));
    expect(rows.length).toBeGreaterThan(100);
    for (const { id, name = '' } of rows) expect(id).toBe(name.toLowerCase());
  });

  it('are all in the runbook, with what to do and whether a step tries again by itself', () => {
    const rows = [
      ...runbook().matchAll(/^\| <a id="\w+"><\/a>`(\w+)` \| (yes|no|by its kind) \| .{10,} \|$/gm),
    ].map(([, name = '', again = '']) => `${name}: ${again}`);
    const again: Readonly<Record<string, string>> = { true: 'yes', false: 'no' };
    expect(rows.toSorted()).toEqual(
      policies
        .filter(({ name }) => name !== 'ColloquyError')
        .map(({ name, retryable }) => `${name}: ${again[retryable] ?? 'by its kind'}`)
        .toSorted(),
    );
  });
});

function runbook(): string {
  return readFileSync(new URL('../docs/runbook.md', import.meta.url), 'utf8');
}

function errorFiles(): string[] {
  return readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => readFileSync(join(source, file), 'utf8'));
}
