/**
 * What src/report/charts gets in place of vega and vega-lite in tests (vitest.config.ts, and worker-code.ts for workers). Charts are drawn by
 * the two as ever, unless this process leaves them out: then a chart is an empty picture. To draw them took
 * 1.2 of 13 CPU seconds of ten small experiments.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Vega from 'vega';
import type * as VegaLite from 'vega-lite';
import { projectRoot } from '../../src/config/installation.ts';

const setting = 'COLLOQUY_TEST_CHARTS';

/** From now on, in this process and in the workers that it starts. */
export function leaveChartsOut(out: boolean): void {
  process.env[setting] = out ? 'left out' : 'drawn';
}

/** Called in the order of vega: compile, parse, View. The specification is passed through, and drawn at the end. */
export function compile(spec: VegaLite.TopLevelSpec): { readonly spec: VegaLite.TopLevelSpec } {
  return { spec };
}

export function parse(spec: VegaLite.TopLevelSpec): VegaLite.TopLevelSpec {
  return spec;
}

export class View {
  readonly #spec: VegaLite.TopLevelSpec;
  readonly #options: Options;

  constructor(spec: VegaLite.TopLevelSpec, options: Options) {
    this.#spec = spec;
    this.#options = options;
  }

  async toSVG(): Promise<string> {
    if (process.env[setting] === 'left out') return '<svg></svg>';
    const [vega, vegaLite] = await Promise.all([
      load<typeof Vega>('vega/build/vega.module.js'),
      load<typeof VegaLite>('vega-lite/build/index.js'),
    ]);
    return new vega.View(vega.parse(vegaLite.compile(this.#spec).spec), this.#options).toSVG();
  }
}

type Options = { readonly renderer: 'none' };

/** By its path, because its name leads here. */
async function load<Module>(path: string): Promise<Module> {
  return (await import(pathToFileURL(join(projectRoot, 'node_modules', path)).href)) as Module;
}
