import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '../../src/workers/bundle.ts';
import { makePrebuiltBundle } from '../../src/workers/make-prebuilt-bundle.ts';
import { bundleFile, manifestFile, readPrebuiltBundle } from '../../src/workers/prebuilt-bundle.ts';
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
    "import { versions } from '../activities/dependencies.ts';\nexport const forbidden = versions;",
    'zod',
    'src/config/',
  ],
  ['a package behind `require`', "export const forbidden = () => require('axios');", 'axios'],
];

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

describe('the bundle in dist/', () => {
  it('is run while the sources are those that it was made from, and never after', async () => {
    const root = await copyOfTheSources();
    expect(await readPrebuiltBundle(root)).toEqual({ unfit: 'there is none' });
    const { files } = await makePrebuiltBundle(root);
    const code = await readFile(join(root, bundleFile), 'utf8');
    expect(await readPrebuiltBundle(root)).toEqual({ code });

    for (const file of files.filter((name) => name.startsWith('src/'))) {
      const path = join(root, file);
      const text = await readFile(path, 'utf8');
      await writeFile(path, `${text}// changed`);
      expect(await readPrebuiltBundle(root), file).toEqual({ unfit: 'the sources have changed since' });
      await writeFile(path, text);
    }
    await rename(
      join(root, 'src/workflows/debate-questions.ts'),
      join(root, 'src/workflows/other-questions.ts'),
    );
    expect(await readPrebuiltBundle(root)).toEqual({ unfit: 'the sources have changed since' });
    await rename(
      join(root, 'src/workflows/other-questions.ts'),
      join(root, 'src/workflows/debate-questions.ts'),
    );
    expect(await readPrebuiltBundle(root)).toEqual({ code });
  });

  it('is not run when its bytes are not the ones that were made, or another SDK made it', async () => {
    const root = await copyOfTheSources();
    const { sdk } = await makePrebuiltBundle(root);
    const [bundle, manifest] = [join(root, bundleFile), join(root, manifestFile)];
    await writeFile(
      manifest,
      (await readFile(manifest, 'utf8')).replace(`"sdk": "${sdk}"`, '"sdk": "1.0.0"'),
    );
    expect(await readPrebuiltBundle(root)).toEqual({
      unfit: 'it was made by version 1.0.0 of the Temporal SDK',
    });
    await appendFile(bundle, '\n');
    expect(await readPrebuiltBundle(root)).toEqual({ unfit: 'it is damaged' });
    await writeFile(manifest, '{');
    expect(await readPrebuiltBundle(root)).toEqual({ unfit: 'there is none' });
  });
});
