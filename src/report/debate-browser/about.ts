/** What the browser's page says of itself. */
export type About = {
  readonly experiment: string;
  /** Ascending; 0 is the base model. */
  readonly iterations: readonly number[];
  /** What is not in the file, and why: whole sentences. */
  readonly missing: readonly string[];
};
