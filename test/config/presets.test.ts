import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { loadConfigFile } from '../../src/config/load.ts';
import { configJsonSchema } from '../../src/config/write-schema.ts';
import { presets, resolveConfig, switchable } from '../../src/config/resolve.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';

describe('the presets', () => {
  it('include the quickstart and the paper', () => {
    expect(presets().map(({ name }) => name)).toEqual(expect.arrayContaining(['paper', 'quickstart']));
  });

  it.each(presets())(
    '$name resolves, describes itself and names the schema to editors',
    ({ name, description, path }) => {
      expect(resolveConfig({ preset: name })).toEqual(resolveConfig(loadConfigFile(path, []).input));
      expect(description.length).toBeGreaterThan(20);
      expect(readFileSync(path, 'utf8')).toMatch(/^# yaml-language-server: \$schema=\.\/schema\.json\n/);
    },
  );

  it('paper has only the defaults', () => {
    expect(loadConfigFile(join(projectRoot, 'configs/paper.yaml'), []).input).toEqual({ preset: 'paper' });
  });
});

describe('a preset of one’s own', () => {
  afterEach(() => {
    vi.doUnmock('../../src/config/installation.ts');
    vi.resetModules();
  });

  it('may say its format, as colloquy init writes it, and one of a newer format is refused', async () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'configs', 'studies'), { recursive: true });
    const mine = join(root, 'configs', 'mine.yaml');
    writeFileSync(mine, 'format: 1\npreset: paper\nrounds: 3\n');
    const study = 'format: 1\nmethods: [base]\nexperiments: [{ name: sums, preset: mine, model: a/b }]\n';
    writeFileSync(join(root, 'configs', 'studies', 'ours.yaml'), study);
    vi.resetModules();
    vi.doMock('../../src/config/installation.ts', async (original) => ({
      ...(await original<object>()),
      projectRoot: root,
    }));
    const ofOwn = await import('../../src/config/resolve.ts');
    const { resolveStudy } = await import('../../src/config/study.ts');
    expect(ofOwn.resolveConfig({ preset: 'mine' }).rounds).toBe(3);
    expect(resolveStudy('s', { preset: 'ours' }).cells).toHaveLength(1);
    writeFileSync(mine, 'format: 2\npreset: paper\n');
    expect(() => ofOwn.resolveConfig({ preset: 'mine' })).toThrow('reads configs up to format 1');
  });
});

describe('configs/schema.json', () => {
  it('takes null exactly where it switches a setting off', () => {
    const { properties } = configJsonSchema() as { properties: Record<string, object> };
    const nullable = Object.entries(properties).flatMap(([key, each]) =>
      JSON.stringify(each).includes('"anyOf"') && JSON.stringify(each).includes('{"type":"null"}') ? key : [],
    );
    expect(nullable.toSorted()).toEqual([...switchable].toSorted());
    expect(nullable).toEqual(expect.arrayContaining(['guard', 'distill', 'budget']));
  });

  it('matches the schema (else run: npx tsx src/config/write-schema.ts)', () => {
    const written: unknown = JSON.parse(readFileSync(join(projectRoot, 'configs/schema.json'), 'utf8'));
    expect(written).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
  });

  it('describes every setting', () => {
    const undescribed = (node: unknown, path: string): string[] => {
      if (typeof node !== 'object' || node === null) return [];
      return Object.entries(node).flatMap(([key, value]: [string, unknown]) =>
        key === 'properties'
          ? Object.entries(value as Record<string, object>).flatMap(([name, below]) => [
              ...('description' in below ? [] : [`${path}.${name}`]),
              ...undescribed(below, `${path}.${name}`),
            ])
          : undescribed(value, path),
      );
    };
    expect(undescribed(configJsonSchema(), '')).toEqual([]);
  });
});
