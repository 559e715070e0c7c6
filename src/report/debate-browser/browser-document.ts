import { createHash } from 'node:crypto';

/**
 * The parts of debates.html around its data. Nothing but our own script and style sheet runs or shows, both named by their hashes: no
 * other code, no request, no form, no HTML made of strings (Trusted Types without any policy).
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
