import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { build } from 'esbuild';

/**
 * The parts of debates.html around its data. The page allows only its own script and style sheet, both named by their hashes: no other
 * code, no request, no form, no HTML made from strings (Trusted Types without any policy).
 */
export function browserDocument({ css, script }: { readonly css: string; readonly script: string }) {
  const policy = [
    "default-src 'none'",
    `script-src '${hash(script)}'`,
    `style-src '${hash(css)}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
  return {
    head: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Debates · Colloquy</title>
<style>${css}</style>
</head>
<body>
<div id="app"><p class="loading">Reading the debates …</p></div>
<noscript><p class="loading">This page is a program: it needs JavaScript to unpack the debates. It loads nothing from anywhere.</p></noscript>
`,
    /** Data that no browser runs or shows. `packed` is base64. */
    block: (kind: 'debates' | 'entries' | 'about', packed: string) =>
      `<script type="application/octet-stream" class="${kind}">${packed}</script>\n`,
    foot: `<script>${script}</script>\n</body>\n</html>\n`,
  };
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

/** The code of the page (page/ with Preact) as one script that needs nothing else. The bytes are the same each time. */
export async function browserScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('./page/main.tsx', import.meta.url))],
    bundle: true,
    write: false,
    // A third of Temml's half megabyte is left after this.
    minify: true,
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    // Neither a tsconfig.json in a folder above nor this machine's folder names may change the bytes.
    tsconfigRaw: {},
    absWorkingDir: fileURLToPath(new URL('../../..', import.meta.url)),
    banner: { js: '/* Contains Preact and Temml, which are under the MIT licence. */' },
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}

/**
 * Gathers lines of JSON into blocks, each packed by itself, so that a page unpacks only what it shows. A packed block is base64 of gzip:
 * no character in it means anything in HTML. `unpack` in page/library.ts is the reverse.
 *
 * @param blockLength a block is closed when it has this many characters
 */
export function packedLines(blockLength: number) {
  let lines: string[] = [];
  let length = 0;
  let ready: string[] = [];
  let blocks = 0;
  let bytes = 0;
  const close = async (): Promise<void> => {
    const packed = (await compressed(lines.join('\n'))).toString('base64');
    ready.push(packed);
    blocks += 1;
    bytes += packed.length;
    lines = [];
    length = 0;
  };
  return {
    /** Where the next line will be: which block, which line there. */
    place: () => ({ block: blocks, line: lines.length }),
    async add(value: object): Promise<void> {
      const line = JSON.stringify(value);
      lines.push(line);
      length += line.length;
      if (length >= blockLength) await close();
    },
    /** Closes the last block, unless it is empty. */
    async end(): Promise<void> {
      if (lines.length > 0) await close();
    },
    /** The blocks closed since this was last called. */
    take(): string[] {
      const taken = ready;
      ready = [];
      return taken;
    },
    /** The size of all closed blocks, packed. */
    bytes: () => bytes,
  };
}

const compressed = promisify<string, Buffer>(gzip);
