import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '../../src/workers/bundle.ts';
import { copyOfTheSources } from '../support/copy-of-the-sources.ts';

describe('the workflow bundle', () => {
  it('holds the workflows, the algorithm and the SDK, and is small', async () => {
    const { code, sources } = await bundleWorkflows();
    expect(sources).toContain('src/workflows/experiment.ts');
    expect(sources).toContain('src/algorithm/agents.ts');
    expect(sources.filter((path) => /src.(activities|engines)|zod/.test(path))).toEqual([]);
    expect(Buffer.byteLength(code)).toBeLessThan(2.5e6);
  });
});

/** What a workflow must not import, as text of a module, which module the error names, and who imports it. */
const forbidden: readonly [what: string, text: string, module: string, importer?: string][] = [
  ['zod', "import { z } from 'zod';\nexport const forbidden = z.string();", 'zod'],
  [
    'a Node module',
    "import { readFile } from 'node:fs/promises';\nexport const forbidden = readFile;",
    'node:fs/promises',
  ],
  [
    'a Node module without its prefix',
    "import { tmpdir } from 'os';\nexport const forbidden = tmpdir;",
    'os',
  ],
  [
    'an activity, by its value',
    "import { versions } from '../activities/activity.ts';\nexport const forbidden = versions;",
    'zod',
    'src/config/',
  ],
  ['a package behind `require`', "export const forbidden = () => require('axios');", 'axios'],
];

it('is not made where the bundler cannot read paths: the error names the folder', async () => {
  await expect(bundleWorkflows('/srv/is it?/colloquy')).rejects.toThrow('the folder /srv/is it?/colloquy. ');
});

describe('the workflow bundle is refused', () => {
  let error: unknown;
  beforeAll(async () => {
    const root = await copyOfTheSources();
    for (const [index, [, text]] of forbidden.entries()) {
      await writeFile(join(root, 'src', 'workflows', `extra-${index}.ts`), text);
      const line = `\nexport { forbidden as forbidden${index} } from './extra-${index}.ts';\n`;
      await appendFile(join(root, 'src', 'workflows', 'debate-questions.ts'), line);
    }
    error = await bundleWorkflows(root).catch((thrown: unknown) => thrown);
  });

  it.each(forbidden.map((each, index) => [...each.slice(0, 1), index, ...each.slice(2)] as const))(
    'when it imports %s, naming the module and who imports it',
    (_, index, module, importer = `src/workflows/extra-${index}.ts`) => {
      expect(error).toMatchObject({ name: 'ForbiddenImport' });
      expect(String(error)).toContain(`  ${module}, imported by ${importer}`);
    },
  );
});

it('a bundle with interceptors holds the packages that they bring, and no others', async () => {
  const root = await copyOfTheSources();
  const module = join(root, 'src', 'interceptor.ts');
  await writeFile(module, "import { z } from 'zod';\nexport const interceptors = () => ({ inbound: [z] });");
  await expect(bundleWorkflows(root, { modules: [module], packages: [] })).rejects.toThrow(
    'zod, imported by src/interceptor.ts',
  );
  const { sources } = await bundleWorkflows(root, { modules: [module], packages: ['zod'] });
  expect(sources).toContain('src/interceptor.ts');
});
