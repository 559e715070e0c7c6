/**
 * `npx tsx scripts/screenshots/ui.ts` makes docs/images/ui.png again: the first page of `colloquy ui`, of a made-up store. With a FOLDER it
 * photographs every page at two widths, light and dark, into that folder instead.
 */
import { mkdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { projectRoot } from '../../src/config/installation.ts';
import { openContents } from '../../src/ui/contents.ts';
import { createUi } from '../../src/ui/server.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { pagesOfUi, temporalSays, writeStoreToShow } from '../../test/ui/store-to-show.ts';
import { type Look, openPage, startChromium } from './browser.ts';

const root = scratchFolder('colloquy-ui-');
const store = await writeStoreToShow(root, { questions: 500, iterations: 3 });
// The name of a folder that is different each time has no place in a picture.
const contents = openContents({ ...store, root: '/srv/colloquy/runs' });
const ui = createUi({ contents, live: temporalSays().live });
await new Promise<void>((listening) => ui.listen(0, '127.0.0.1', listening));
const url = `http://127.0.0.1:${(ui.address() as AddressInfo).port}`;
const browser = await startChromium();

async function photograph(address: string, file: string, look: Look, fullPage: boolean): Promise<void> {
  const page = await openPage(browser, `${url}${address}`, look);
  await page.screenshot({ path: file, fullPage });
  await page.close();
  console.log(file);
}

try {
  const folder = process.argv[2];
  if (folder === undefined) {
    const look = { width: 1280, height: 960, scheme: 'light' } as const;
    await photograph('/', join(projectRoot, 'docs', 'images', 'ui.png'), look, false);
  } else {
    await mkdir(folder, { recursive: true });
    for (const scheme of ['light', 'dark'] as const)
      for (const width of [1280, 375])
        for (const [name, address] of Object.entries(pagesOfUi))
          await photograph(
            address,
            join(resolve(folder), `${name}-${scheme}-${width}.png`),
            { width, height: 860, scheme },
            true,
          );
  }
} finally {
  await browser.close();
  ui.closeAllConnections();
  ui.close();
  await rm(root, { recursive: true, force: true });
}
