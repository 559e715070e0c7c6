/**
 * `npx tsx scripts/screenshots/charts.ts FOLDER` draws every chart of a study's report from made-up figures, wide and narrow, and photographs
 * them with Chromium in light and dark.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { flipsChart, transferChart } from '../../src/report/charts/gained-and-lost.ts';
import { accuracyOverIterations, metricOverIterations } from '../../src/report/charts/curves.ts';
import { paretoChart } from '../../src/report/charts/pareto.ts';
import { styleSheet } from '../../src/report/parts/page.tsx';
import { flips, overIterations, priced, transfers } from '../../test/report/charts/made-up-figures.ts';
import { openPage, startChromium } from './browser.ts';

const folder = resolve(process.argv[2] ?? 'runs/charts');
await mkdir(folder, { recursive: true });
const css = styleSheet('pages/base.css', 'pages/report.css');
const browser = await startChromium();
try {
  for (const width of [880, 350]) {
    const charts = [
      await accuracyOverIterations(overIterations, width),
      await metricOverIterations('negative log-likelihood, nats a token', overIterations, width),
      await paretoChart(priced, width),
      await flipsChart(flips, width),
      await transferChart(transfers, width),
    ];
    const html = `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>${css}</style>${charts.map((svg) => `<div class="card chart">${svg}</div>`).join('')}`;
    const file = join(folder, `charts-${width}.html`);
    await writeFile(file, html);
    for (const scheme of ['light', 'dark'] as const) {
      const look = { width: width + 40, height: 1700, scheme };
      const page = await openPage(browser, pathToFileURL(file).href, look);
      await page.screenshot({ path: join(folder, `charts-${width}-${scheme}.png`) });
      await page.close();
    }
  }
} finally {
  await browser.close();
}
