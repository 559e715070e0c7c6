/**
 * `npx tsx scripts/screenshots/quickstart.ts` makes README's pictures of the quickstart again: docs/images/quickstart-terminal.png, what the
 * command prints on a terminal, and report-light.png and report-dark.png, the top of its report. It really runs the quickstart, in a store of
 * its own, on a pseudo-terminal (`script` of util-linux), which takes some minutes. The set-up must have run.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SerializeAddon } from '@xterm/addon-serialize';
import terminals from '@xterm/headless';
import { projectRoot } from '../../src/config/installation.ts';
import { openPage, startChromium } from './browser.ts';

/** Columns and rows of the terminal: all that the quickstart prints has room. */
const size = { cols: 132, rows: 60 };
const images = join(projectRoot, 'docs', 'images');

const folder = await mkdtemp(join(tmpdir(), 'colloquy-quickstart-picture-'));
const browser = await startChromium();
try {
  const html = await printedOnTerminal('npx colloquy quickstart');
  const file = join(folder, 'terminal.html');
  await writeFile(file, terminalPage(html));
  const look = { width: 1180, height: 200, scheme: 'dark' } as const;
  const terminal = await openPage(browser, pathToFileURL(file).href, look);
  // The rows of the terminal that nothing was printed in.
  await terminal.locator('main pre > div > div').evaluateAll((rows) => {
    for (const row of rows.toReversed()) {
      if (row.textContent?.trim() !== '') break;
      row.remove();
    }
  });
  await terminal.locator('main').screenshot({ path: join(images, 'quickstart-terminal.png') });
  await terminal.close();
  const report = pathToFileURL(join(folder, 'runs', 'quickstart', 'report.html')).href;
  for (const scheme of ['light', 'dark'] as const) {
    const page = await openPage(browser, report, { width: 1000, height: 1150, scheme });
    await page.screenshot({ path: join(images, `report-${scheme}.png`) });
    await page.close();
  }
} finally {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
}

/** Runs a command on a terminal, from its prompt to its end, and gives what then stands there as HTML. */
async function printedOnTerminal(command: string): Promise<string> {
  const terminal = new terminals.Terminal({ ...size, allowProposedApi: true, scrollback: 1_000 });
  const screen = new SerializeAddon();
  terminal.loadAddon(screen);
  terminal.write(`$ ${command}\r\n`);
  const run = `stty cols ${size.cols} rows ${size.rows}; ${command}`;
  const child = spawn('script', ['-qefc', run, join(folder, 'typescript')], {
    cwd: projectRoot,
    env: { ...process.env, TERM: 'xterm-256color', COLLOQUY_STORE: join(folder, 'runs') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.on('data', (bytes: Uint8Array) => {
    process.stdout.write(bytes);
    terminal.write(bytes);
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ended with ${String(code)}`);
  await new Promise<void>((written) => terminal.write('', written));
  const html = screen.serializeAsHTML({ includeGlobalBackground: true });
  return html.replaceAll(folder, '.');
}

function terminalPage(html: string): string {
  return `<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #14161a; }
main { display: inline-block; padding: 18px 22px; background: #14161a; border-radius: 10px; }
main pre, main div { font: 14px/1.35 'DejaVu Sans Mono', Menlo, Consolas, monospace !important; background: transparent !important; }
main pre { margin: 0; }
</style><main>${html}</main>`;
}
