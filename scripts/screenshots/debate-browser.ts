/**
 * `npx tsx scripts/screenshots/debate-browser.ts FOLDER QUESTIONS` makes up an experiment with that many held-out debates in FOLDER, writes its
 * debates.html, photographs it with Chromium at two widths in light and dark, and prints how long the page took. COLLOQUY_ITERATIONS is the
 * number of iterations of the experiment (0 if it is not set).
 */
import { mkdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { writeDebateBrowser } from '../../src/report/debate-browser/write.ts';
import { writeLongExperiment } from '../../test/report/long-experiment.ts';
import type { Browser, Page } from 'playwright-core';
import { experimentAt } from '../../test/support/places.ts';
import { type Look, openPage, startChromium } from './browser.ts';

const folder = resolve(process.argv[2] ?? 'runs/long-experiment');
const questions = Number(process.argv[3] ?? 10_000);
const iterations = Number(process.env['COLLOQUY_ITERATIONS'] ?? 0);

const files = experimentAt(folder);

await mkdir(folder, { recursive: true });
const trainingQuestions = iterations === 0 ? 0 : Math.ceil(questions / 2);
await writeLongExperiment(folder, { questions, trainingQuestions, iterations, summarize: true });
await write();
const url = pathToFileURL(files.debateBrowser.where).href;
const browser = await startChromium();
try {
  await measure(browser);
  for (const scheme of ['light', 'dark'] as const) {
    for (const size of [
      { width: 1280, height: 860 },
      { width: 390, height: 844 },
    ])
      await photograph(browser, { ...size, scheme });
  }
} finally {
  await browser.close();
}

async function write(): Promise<void> {
  const before = process.memoryUsage.rss();
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 50);
  const start = performance.now();
  const evaluations = Array.from({ length: iterations + 1 }, (_, iteration) => ({ iteration, questions }));
  const trained = evaluations.slice(1).map(({ iteration }) => ({ iteration, questions: trainingQuestions }));
  await writeDebateBrowser(files, { name: 'long-experiment', evaluations, trained, summarize: true });
  clearInterval(watch);
  const { size } = await stat(files.debateBrowser.where);
  console.log(
    `${questions} questions, ${iterations + 1} evaluations: ${megabytes(size)} written in ${since(start)}; ` +
      `memory ${megabytes(before)} before, ${megabytes(most)} at most`,
  );
}

async function measure(chromium: Browser): Promise<void> {
  const start = performance.now();
  const page = await openPage(chromium, url, { width: 1280, height: 860, scheme: 'light' });
  await listed(page);
  console.log(`list usable after ${since(start)}`);
  console.log(`all iterations: ${await timed(page, choose('Iteration', 'null'))} ms`);
  console.log(
    `only saved: ${await timed(page, press('Saved'))} ms, back: ${await timed(page, press('Saved'))} ms`,
  );
  for (const query of ['no debate says this', 'ponponni', 'heldout-00077', 'a']) {
    await page.evaluate(watchFrames());
    const asked = performance.now();
    await page.keyboard.press('/');
    await page.keyboard.insertText(query);
    // The page waits until typing has paused, and then shows how far it is.
    await pause(200);
    await page.waitForFunction("!document.querySelector('progress')", null, { timeout: 120_000 });
    const said = String(await page.evaluate("document.querySelector('.found').textContent"));
    const longest = Number(await page.evaluate('longest'));
    console.log(`search “${query}”: ${said}, ${since(asked)}, longest frame ${longest} ms`);
    await page.keyboard.press('Escape');
  }
  console.log(`heap ${megabytes(Number(await page.evaluate('performance.memory.usedJSHeapSize')))}`);
  await page.close();
}

async function photograph(chromium: Browser, look: Look): Promise<void> {
  const page = await openPage(chromium, url, look);
  const shoot = (of: string) =>
    page.screenshot({ path: join(folder, `${of}-${look.scheme}-${look.width}.png`) });
  await listed(page);
  await shoot('list');
  await page.keyboard.press('ArrowDown');
  await page.waitForSelector('.round');
  await shoot('debate');
  await page.evaluate("document.querySelector('.debate').scrollTo(0, 1e6)");
  await shoot('debate-end');
  await page.close();
}

async function listed(page: Page): Promise<void> {
  await page.waitForSelector('.row', { timeout: 60_000 });
}

/** How long the page took to answer, to the frame after. */
async function timed(page: Page, action: string): Promise<number> {
  return Number(
    await page.evaluate(
      `(async () => { const start = performance.now(); ${action}; await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame); return Math.round(performance.now() - start); })()`,
    ),
  );
}

function press(label: string): string {
  return `[...document.querySelectorAll('.toggle')].find((each) => each.textContent.startsWith('${label}')).click()`;
}

function choose(label: string, value: string): string {
  return `{ const box = document.querySelector('[aria-label="${label}"]'); box.value = '${value}'; box.dispatchEvent(new Event('change', { bubbles: true })); }`;
}

/** From now on, `longest` is the longest time between two frames in ms. */
function watchFrames(): string {
  return 'var longest = 0; { let last = performance.now(); const frame = (now) => { longest = Math.max(longest, Math.round(now - last)); last = now; requestAnimationFrame(frame); }; requestAnimationFrame(frame); } 0';
}

function since(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(2)} s`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
