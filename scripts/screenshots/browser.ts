/** Chromium for photographs of pages, driven by Playwright. The browser is the machine's own: Playwright downloads none. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const usualPlaces = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** How a page is looked at: CSS pixels, and the colours that the reader prefers. */
export type Look = { readonly width: number; readonly height: number; readonly scheme: 'light' | 'dark' };

/**
 * Starts the Chromium that CHROMIUM_PATH names, otherwise the first one in a usual place.
 *
 * @throws Error when there is none
 */
export async function startChromium(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM_PATH'] || usualPlaces.find((path) => existsSync(path));
  if (executablePath === undefined)
    throw new Error(
      'No Chromium was found. Install it (apt install chromium), or set CHROMIUM_PATH to a Chromium or Chrome.',
    );
  return chromium.launch({ executablePath, chromiumSandbox: false });
}

/**
 * Opens `url` in a page of its own. The page's content security policy is left out, so that scripts may ask it questions.
 * Below 500 pixels it behaves like a telephone.
 */
export async function openPage(browser: Browser, url: string, look: Look): Promise<Page> {
  const page = await browser.newPage({
    viewport: { width: look.width, height: look.height },
    isMobile: look.width < 500,
    colorScheme: look.scheme,
    bypassCSP: true,
  });
  await page.goto(url);
  return page;
}
