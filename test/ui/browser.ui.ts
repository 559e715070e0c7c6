/** The pages of `colloquy ui` in a real Chromium: at two widths, light and dark, by keyboard alone, and checked by axe. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Look, openPage, startChromium } from '../../scripts/screenshots/browser.ts';
import { openContents } from '../../src/ui/contents.ts';
import { createUi } from '../../src/ui/server.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { debating, pagesOfUi, type Says, temporalSays, writeStoreToShow } from './store-to-show.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const root = temporaryFolder();
let browser: Browser;
let says: Says;
let url = '';
let ui: ReturnType<typeof createUi>;
beforeAll(async () => {
  const store = await writeStoreToShow(root, { questions: 40, iterations: 2 });
  says = temporalSays();
  ui = createUi({ contents: openContents(store), live: says.live });
  await new Promise<void>((listening) => ui.listen(0, '127.0.0.1', listening));
  url = `http://127.0.0.1:${(ui.address() as AddressInfo).port}`;
  browser = await startChromium();
});
afterAll(async () => {
  await browser?.close();
  ui?.closeAllConnections();
  ui?.close();
});

const wide = { width: 1280, height: 860, scheme: 'light' } as const;

/** With the policies of the server in force, as a reader has them. */
async function opened(address: string, look: Look = wide): Promise<{ page: Page; said: string[] }> {
  const page = await browser.newPage({
    viewport: { width: look.width, height: look.height },
    colorScheme: look.scheme,
  });
  const said: string[] = [];
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  page.on('dialog', (dialog) => void dialog.dismiss().then(() => said.push('a dialog')));
  await page.goto(`${url}${address}`);
  return { page, said };
}

const looks: Look[] = [1280, 375].flatMap((width) =>
  (['light', 'dark'] as const).map((scheme) => ({ width, height: 860, scheme })),
);
type Violation = {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
};

describe.each(looks)('at $width pixels, $scheme', (look) => {
  it.each(Object.entries(pagesOfUi))('the page %s breaks no rule of axe, and fits', async (_, address) => {
    const page = await openPage(browser, `${url}${address}`, look);
    await page.evaluate(axe);
    const violations = await page.evaluate<Violation[]>('axe.run().then(({ violations }) => violations)');
    const told = violations.flatMap(({ id, nodes }) =>
      nodes.slice(0, 3).map((node) => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary ?? ''}`),
    );
    expect(told).toEqual([]);
    // Only tables scroll sideways, within their frames.
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(look.width);
    await page.close();
  });
});

describe('a reader', () => {
  it('gets from the list to a debate and back by keyboard alone', async () => {
    const { page } = await opened('/');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    await tabTo(page, 'quickstart');
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${url}/store/quickstart/`);
    await tabTo(page, 'Debates to read');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.row');
    await page.keyboard.press('ArrowDown');
    await page.waitForSelector('.round');
    await page.goBack();
    await page.waitForURL(`${url}/store/quickstart/`);
    await page.close();
  });

  it('compares two experiments by keyboard alone', async () => {
    const { page } = await opened('/compare');
    await tabTo(page, '#a');
    await page.keyboard.type('quick');
    await page.keyboard.press('Tab');
    await page.keyboard.type('sec');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/a=quickstart&b=second/);
    expect(await page.textContent('h1')).toBe('quickstart and second');
    await page.close();
  });

  it('sees an experiment come further without losing focus or what is open', async () => {
    const { page } = await opened('/store/nightly-math/');
    await page.locator('summary', { hasText: 'Resolved config' }).focus();
    await page.keyboard.press('Enter');
    expect(await page.textContent('.now label')).toContain('144 of 320 questions');
    says.progress.set('nightly-math', { ...debating, done: 8, workedSeconds: 70 });
    await page.locator('.now label', { hasText: '256 of 320' }).waitFor();
    expect(await focused(page)).toBe('Resolved config, as it was begun');
    expect(await page.locator('details').first().getAttribute('open')).not.toBeNull();
    await page.close();
  });

  it('is told when the server of the pages has gone, and when it is back', async () => {
    const { page } = await opened('/store/nightly-math/');
    await page.route('**/store/nightly-math/', (route) => route.abort());
    await page.locator('#connection', { hasText: 'could not be asked' }).waitFor();
    await page.unroute('**/store/nightly-math/');
    await page.locator('#connection:empty').waitFor({ state: 'attached' });
    await page.close();
  });

  it.each([
    '/',
    '/store/quickstart/',
    '/store/quickstart/report.html',
    '/store/quickstart/debates.html',
    '/store/nightly-math/debates.html',
    '/store/over-quota/',
  ])('finds that nothing of what models and servers said runs in %s', async (address) => {
    const { page, said } = await opened(address);
    await page.waitForSelector('main');
    expect({ said, title: await page.title() }).toEqual({
      said: [],
      title: expect.not.stringContaining('taken'),
    });
    await page.close();
  });
});

async function focused(page: Page): Promise<string> {
  return String(await page.evaluate('document.activeElement.textContent.trim()'));
}

/** Presses Tab until an element with this text, or that this selector finds, has the focus. */
async function tabTo(page: Page, wanted: string): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press('Tab');
    const there = wanted.startsWith('#')
      ? `'#' + document.activeElement.id`
      : 'document.activeElement.textContent.trim()';
    if ((await page.evaluate(there)) === wanted) return;
  }
  throw new Error(`80 presses of Tab did not come to ${wanted}.`);
}
