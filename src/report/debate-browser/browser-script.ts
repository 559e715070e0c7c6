import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The code of the browser's page, `page/` with Preact in it, as one script that needs nothing else. The same bytes each time. */
export async function browserScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('./page/main.tsx', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    // Not by whatever tsconfig.json lies above, nor with names of this machine's folders.
    tsconfigRaw: {},
    absWorkingDir: fileURLToPath(new URL('../../..', import.meta.url)),
    banner: { js: '/* Contains Preact, which is under the MIT licence. */' },
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}
