/** How a method looks in every chart: a colour, and for who cannot tell colours a mark and a dash too. */
export type MethodStyle = {
  /** A CSS colour, mostly a variable of charts.css. */
  readonly colour: string;
  /** One of Vega's symbols. */
  readonly shape: string;
  /** Lengths of strokes and gaps; none for a whole line. */
  readonly dash: readonly number[];
};

/**
 * The style of each method, in the order of the names. A method that the project knows looks the same in every study; others take what is
 * left, by order.
 */
export function methodStyles(names: readonly string[]): MethodStyle[] {
  const free = styles.filter((_, place) => !names.some((name) => known.indexOf(name) === place));
  return names.map((name) => styles[known.indexOf(name)] ?? free.shift() ?? overflow);
}

/** The place in this list is the place in the list of styles. Those that are most compared have the clearest colours. */
const known: readonly string[] = [
  'multiagent-ft',
  'majority-ft',
  'star',
  'debate',
  'majority',
  'base',
  'single-agent',
  'no-critic',
  'no-summary',
  'single-agent-no-debate',
  'cooperative',
  'unique-id',
];

const shapes = [
  'circle',
  'square',
  'diamond',
  'triangle-up',
  'cross',
  'triangle-down',
  'triangle-right',
  'triangle-left',
];
/** Eight colours that are told apart with any colour vision; the second round of them is dashed. */
const styles: readonly MethodStyle[] = Array.from({ length: 16 }, (_, place) => ({
  colour: `var(--method-${(place % 8) + 1})`,
  shape: shapes[(place + Math.floor(place / 8)) % shapes.length] ?? 'circle',
  dash: place < 8 ? [] : [5, 3],
}));
const overflow: MethodStyle = { colour: 'var(--muted)', shape: 'circle', dash: [1, 3] };
