/** Damage that was found and dealt with: what is lost is made again. Whoever opens an artifact says how it is told. */
export type Damage = {
  /** Absolute. */
  readonly path: string;
  /** What is wrong and what was done, e.g. `damaged (expected …, found …); moved to …; to be made again`. */
  readonly problem: string;
};
export type OnDamage = (damage: Damage) => void;

/** Tells damage as a warning of the process (stderr, unless the process listens to `warning`). */
export function warnOfDamage({ path, problem }: Damage): void {
  process.emitWarning(`${path}: ${problem}`, 'ArtifactDamage');
}
