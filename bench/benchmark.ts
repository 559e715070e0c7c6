/** What a benchmark is given, and what it gives. */
export type BenchmarkSettings = {
  /** A folder of its own, removed afterwards. */
  readonly folder: string;
  /** Where the results go; a benchmark may put more files there. */
  readonly results: string;
  /** Few questions and repeats: to see that the benchmark works, not to be quoted. */
  readonly quick: boolean;
  /** Another checkout of Colloquy to be compared with. */
  readonly against: string | undefined;
  /** The size of the model of an iteration; the embedded model by default. */
  readonly shape: string | undefined;
};

export type Benchmark = (settings: BenchmarkSettings) => Promise<{
  /** For the terminal. */
  readonly text: string;
  /** For the file of results. */
  readonly figures: object;
}>;
