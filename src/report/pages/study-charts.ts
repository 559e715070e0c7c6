import { accuracyInterval, type Ratio } from '../../algorithm/measures/answers.ts';
import type { DiversityMeasure } from '../analyse/measures.ts';
import type { Contender, Setting, StudyAnalysis } from '../analyse/study.ts';
import { flipsChart, type FlipsData, transferChart, type TransferData } from '../charts/gained-and-lost.ts';
import { accuracyOverIterations, type MethodOverIterations, metricOverIterations } from '../charts/curves.ts';
import { type PricedMethod, paretoChart } from '../charts/pareto.ts';
import { type Draw, type Drawn, drawTwice } from '../charts/style.ts';

/** A chart of a study, before it is drawn. */
export type StudyChart = {
  readonly section: ChartedSection;
  /** The setting; null for a chart of all settings. */
  readonly setting: string | null;
  /** What it is called in file names. */
  readonly name: string;
  /** What it shows, without the setting. */
  readonly title: string;
  readonly draw: Draw;
};

/** The sections of a report that have charts. */
export type ChartedSection = 'accuracy' | 'diversity' | 'flips' | 'cost' | 'transfer';

/** All charts of a study that have something to show. */
export function studyCharts(analysis: StudyAnalysis): StudyChart[] {
  const moved = transfers(analysis);
  return [
    ...analysis.settings.flatMap(chartsOfSetting),
    ...(moved.length === 0
      ? []
      : [
          {
            section: 'transfer' as const,
            setting: null,
            name: 'transfer',
            title: 'Transfer to other tasks',
            draw: (width: number) => transferChart(moved, width),
          },
        ]),
  ];
}

function chartsOfSetting({ name: setting, contenders: all }: Setting): StudyChart[] {
  // Votes of trained agents are in the tables: a chart has room for one line a method.
  const contenders = all.filter(({ votesOf }) => votesOf === null);
  const accuracies = contenders.map(accuracyPoints);
  const flips = contenders.flatMap(lastFlips);
  const priced = contenders.flatMap(pricedMethod);
  const chart = (section: ChartedSection, title: string, draw: Draw, name: string = section): StudyChart => ({
    section,
    setting,
    name: `${setting}-${name}`,
    title,
    draw,
  });
  return [
    chart('accuracy', 'Accuracy over iterations', (width) => accuracyOverIterations(accuracies, width)),
    ...diversityTitles.flatMap(({ measure, title }) => {
      const measured = contenders.flatMap((contender) => diversityPoints(contender, measure));
      // A level line for each method would say nothing about its course.
      if (measured.every(({ points }) => points.length < 2)) return [];
      const draw = (width: number) => metricOverIterations(title, measured, width);
      return [chart('diversity', 'Diversity over iterations', draw, measure)];
    }),
    ...(flips.length === 0 ? [] : [chart('flips', 'Flips', (width) => flipsChart(flips, width))]),
    ...(priced.length === 0
      ? []
      : [chart('cost', 'Cost against accuracy', (width) => paretoChart(priced, width))]),
  ];
}

const diversityTitles: readonly { readonly measure: DiversityMeasure; readonly title: string }[] = [
  { measure: 'dissimilarity', title: 'embedding dissimilarity' },
  { measure: 'nllOfOthers', title: 'NLL of others’ answers, nats a token' },
];

/** The method's name in configs; the majority at equal tokens by its number of answers. */
function nameOf({ key, title }: Contender): string {
  return key === 'majority-at-equal-tokens' ? title.replace(/^.*\(of (.*)\)$/, 'majority of $1') : key;
}

function accuracyPoints(contender: Contender): MethodOverIterations {
  return {
    method: nameOf(contender),
    // 95 %: two bars that do not overlap surely differ; two that do may still.
    points: contender.curve.map((point) => ({
      iteration: point.iteration,
      value: point.accuracy,
      interval: accuracyInterval(point, point.questions),
    })),
  };
}

function diversityPoints(contender: Contender, measure: DiversityMeasure): MethodOverIterations[] {
  const points = (contender.own?.diversity.rows ?? []).flatMap((each) => {
    const ratio: Ratio | null = each[measure];
    if (ratio === null) return [];
    const half = 1.96 * ratio.standardError;
    const interval = { low: ratio.value - half, high: ratio.value + half };
    return [{ iteration: each.iteration, value: ratio.value, interval }];
  });
  return points.length === 0 ? [] : [{ method: nameOf(contender), points }];
}

/** From the last round but one to the last, after the last iteration. */
function lastFlips(contender: Contender): FlipsData[] {
  const last = contender.own?.flips.at(-1);
  if (last === undefined) return [];
  const count = (ratio: Ratio | null): number => (ratio === null ? 0 : ratio.value * ratio.of);
  return [
    {
      method: nameOf(contender),
      keptRight: count(last.rightToRight),
      wrongToRight: count(last.wrongToRight),
      rightToWrong: count(last.rightToWrong),
      keptWrong: count(last.wrongToWrong),
    },
  ];
}

function pricedMethod(contender: Contender): PricedMethod[] {
  const point = contender.curve.at(-1);
  const { tokens } = contender;
  if (point === undefined || tokens === null || tokens === 0) return [];
  return [
    {
      method: nameOf(contender),
      tokens,
      accuracy: point.accuracy,
      interval: accuracyInterval(point, point.questions),
    },
  ];
}

/**
 * The transfer matrix of the reference method: a row for each setting, a column for its own held-out questions and for each other task.
 * With one setting, its base model has a row too. Empty when no setting has other tasks.
 */
function transfers({ settings, reference }: StudyAnalysis): TransferData[] {
  const trained = settings.flatMap(({ name, contenders }) => {
    const contender = contenders.find(({ key }) => key === reference);
    const [base, last] = [contender?.curve[0], contender?.curve.at(-1)];
    if (contender === undefined || contender.own === null || base === undefined || last === undefined)
      return [];
    const { learns, own } = contender;
    return [{ name, base: base.accuracy, last: last.accuracy, tasks: own.transfer, learns }];
  });
  if (trained.every(({ tasks, learns }) => tasks.length === 0 || !learns)) return [];
  return trained.flatMap(({ name, base, last, tasks }) => [
    ...(trained.length === 1
      ? [
          { trained: 'nothing', evaluated: name, accuracy: base, gain: null },
          ...tasks.map(({ task, before }) => ({
            trained: 'nothing',
            evaluated: task,
            accuracy: before.accuracy,
            gain: null,
          })),
        ]
      : []),
    { trained: name, evaluated: name, accuracy: last, gain: last - base },
    ...tasks.map(({ task, after, change }) => ({
      trained: name,
      evaluated: task,
      accuracy: after.accuracy,
      gain: change?.difference ?? null,
    })),
  ]);
}

/** The drawn charts of a section, by setting. */
export type DrawnCharts = Readonly<
  Record<ChartedSection, readonly { readonly setting: string | null; readonly drawn: readonly Drawn[] }[]>
>;

export async function drawnCharts(charts: readonly StudyChart[]): Promise<DrawnCharts> {
  const drawn: Record<ChartedSection, { setting: string | null; drawn: Drawn[] }[]> = {
    accuracy: [],
    diversity: [],
    flips: [],
    cost: [],
    transfer: [],
  };
  for (const { section, setting, draw } of charts) {
    const before = drawn[section].find((each) => each.setting === setting);
    const chart = await drawTwice(draw);
    if (before === undefined) drawn[section].push({ setting, drawn: [chart] });
    else before.drawn.push(chart);
  }
  return drawn;
}

/** The rules of a style sheet that define colours: those of `:root`, also within a media query for dark mode. */
const rootRules = /@media[^{]*\{\s*:root\s*\{[^}]*\}\s*\}|:root\s*\{[^}]*\}/g;

/**
 * A chart as a picture of its own, for Markdown: with the colours that a report's style sheet would give it, for light and dark.
 *
 * @param css the style sheet
 */
export function standaloneSvg(svg: string, css: string): string {
  const colours = (css.match(rootRules) ?? []).join('\n');
  const own = 'svg { background: var(--card); font-family: system-ui, "Liberation Sans", sans-serif; }';
  return svg.replace(/^<svg[^>]*>/, (opening) => `${opening}<style>${colours}\n${own}</style>`);
}
