/**
 * `npx tsx scripts/screenshots/study-report.ts FOLDER [SEEDS ITERATIONS QUESTIONS]` makes up a study of all methods in FOLDER, writes its
 * report, prints how long that took, and photographs the page with Chromium at two widths in light and dark. COLLOQUY_COLUMNS names
 * the study's experiments.
 */
import { mkdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { writeStudyReport } from '../../src/report/write.ts';
import { openStore, studyFiles } from '../../src/store/store.ts';
import { madeUpStudy } from '../../test/report/made-up-study.ts';
import { writeScriptedStudy } from '../../test/report/scripted-study.ts';
import { openPage, startChromium } from './browser.ts';

const folder = resolve(process.argv[2] ?? 'runs/made-up-study');
const [seeds = 3, iterations = 5, questions = 500] = process.argv.slice(3).map(Number);
const columns = (process.env['COLLOQUY_COLUMNS'] ?? 'arithmetic').split(',');

await mkdir(folder, { recursive: true });
const store = openStore(folder);
const cells = await writeScriptedStudy(
  store,
  'made-up',
  madeUpStudy({ columns, seeds, iterations, questions }),
);
const before = process.memoryUsage.rss();
let most = before;
const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20);
const start = performance.now();
await writeStudyReport(store, 'made-up', cells);
clearInterval(watch);
const report = studyFiles(store, 'made-up').report.where;
console.log(
  `${cells.length} experiments: ${((performance.now() - start) / 1000).toFixed(1)} s, ${megabytes((await stat(report)).size)}; ` +
    `memory ${megabytes(before)} before, ${megabytes(most)} at most`,
);

const browser = await startChromium();
try {
  for (const scheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      // A page of many screens is too long for one photograph.
      const page = await openPage(browser, pathToFileURL(report).href, { width, height: 2400, scheme });
      await page.waitForSelector('footer', { state: 'attached' });
      const long = Number(await page.evaluate('document.documentElement.scrollHeight'));
      const across = Number(await page.evaluate('document.documentElement.scrollWidth'));
      if (across > width) console.log(`${width} px wide, the page takes ${across}`);
      for (let from = 0; from < long; from += 2400) {
        await page.evaluate(`window.scrollTo(0, ${from})`);
        await page.screenshot({ path: join(folder, `study-${scheme}-${width}-${from / 2400}.png`) });
      }
      await page.close();
    }
  }
} finally {
  await browser.close();
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
