import { flipsChart } from '../charts/flips-chart.ts';
import {
  accuracyOverIterations,
  type MethodOverIterations,
  metricOverIterations,
} from '../charts/over-iterations.ts';
import { type PricedMethod, paretoChart } from '../charts/pareto-chart.ts';
import { transferChart } from '../charts/transfer-chart.ts';
import type { Ratio } from '../../algorithm/measures/tests.ts';
import type { Column, Row, StudyAnalysis } from './analyse-study.ts';
import type { DiversityMeasure } from './diversity-of.ts';
import { transfers } from './transfers.ts';

/** A chart as SVG at any width, in CSS pixels. */
export type Draw = (width: number) => Promise<string>;

/** A study's charts; those with nothing to show are left out. */
export type StudyCharts = {
  readonly columns: readonly ColumnCharts[];
  readonly transfer: Draw | null;
};
export type ColumnCharts = {
  readonly column: string;
  readonly accuracy: Draw;
  readonly diversity: readonly { readonly measure: DiversityMeasure; readonly draw: Draw }[];
  readonly flips: Draw | null;
  readonly cost: Draw | null;
};

export function studyCharts(analysis: StudyAnalysis): StudyCharts {
  const moved = transfers(analysis);
  return {
    columns: analysis.columns.map(columnCharts),
    transfer: moved.length === 0 ? null : (width) => transferChart(moved, width),
  };
}

function columnCharts(column: Column): ColumnCharts {
  const accuracies = column.rows.map(accuracyPoints);
  const flips = column.rows.flatMap(lastFlips);
  const priced = column.rows.flatMap(pricedMethod);
  return {
    column: column.name,
    accuracy: (width) => accuracyOverIterations(accuracies, width),
    diversity: diversityTitles.flatMap(({ measure, title }) => {
      const measured = column.rows.flatMap((row) => diversityPoints(row, measure));
      // A level line for each method would say nothing about its course.
      if (measured.every(({ points }) => points.length < 2)) return [];
      return [{ measure, draw: (width: number) => metricOverIterations(title, measured, width) }];
    }),
    flips: flips.length === 0 ? null : (width) => flipsChart(flips, width),
    cost: priced.length === 0 ? null : (width) => paretoChart(priced, width),
  };
}

const diversityTitles: readonly { readonly measure: DiversityMeasure; readonly title: string }[] = [
  { measure: 'dissimilarity', title: 'embedding dissimilarity' },
  { measure: 'nllOfOthers', title: 'NLL of others’ answers, nats a token' },
];

/** As a config calls it; the majority at equal tokens by its answers. */
function nameOf({ key, title }: Row): string {
  return key === 'majority-at-equal-tokens' ? title.replace(/^.*\(of (.*)\)$/, 'majority of $1') : key;
}

function accuracyPoints(row: Row): MethodOverIterations {
  return {
    method: nameOf(row),
    points: row.curve.map(({ iteration, accuracy, standardError }) => ({
      iteration,
      value: accuracy,
      interval: around(accuracy, standardError),
    })),
  };
}

/** 95 %: two bars that do not overlap surely differ; two that do may still. */
function around(value: number, standardError: number) {
  const half = 1.96 * standardError;
  return { low: Math.max(0, value - half), high: Math.min(1, value + half) };
}

function diversityPoints(row: Row, measure: DiversityMeasure): MethodOverIterations[] {
  const points = (row.own?.diversity.rows ?? []).flatMap((each) => {
    const ratio: Ratio | null = each[measure];
    if (ratio === null) return [];
    const half = 1.96 * ratio.standardError;
    const interval = { low: ratio.value - half, high: ratio.value + half };
    return [{ iteration: each.iteration, value: ratio.value, interval }];
  });
  return points.length === 0 ? [] : [{ method: nameOf(row), points }];
}

/** From the round before the last to the last, after the last iteration. */
function lastFlips(row: Row) {
  const last = row.own?.flips.at(-1);
  if (last === undefined) return [];
  const count = (ratio: Ratio | null): number => (ratio === null ? 0 : ratio.value * ratio.of);
  return [
    {
      method: nameOf(row),
      keptRight: count(last.rightToRight),
      wrongToRight: count(last.wrongToRight),
      rightToWrong: count(last.rightToWrong),
      keptWrong: count(last.wrongToWrong),
    },
  ];
}

function pricedMethod(row: Row): PricedMethod[] {
  const point = row.curve.at(-1);
  const tokens = row.tokens;
  if (point === undefined || tokens === null || tokens === 0) return [];
  const { accuracy, standardError } = point;
  return [{ method: nameOf(row), tokens, accuracy, interval: around(accuracy, standardError) }];
}
