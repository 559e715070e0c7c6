import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { loadConfigFile } from '../../src/config/load.ts';
import { configJsonSchema } from '../../src/config/page.ts';
import { presets, resolveConfig } from '../../src/config/resolve.ts';

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

describe('configs/schema.json', () => {
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
