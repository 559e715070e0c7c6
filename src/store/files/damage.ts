/** What happens to a damaged artifact? It is set aside, where a person can look at it, and then made again. */
import { type Place, remove, setAside } from '../blobs.ts';
import { ArtifactDamaged } from '../errors.ts';
import { sealPlace } from './sealed.ts';

/** Damage that was found and set aside. The code that opens an artifact decides how it is reported. */
export type Damage = {
  /** Where a person finds the artifact. */
  readonly path: string;
  /** What is wrong and what was done, e.g. `damaged (expected …, found …); moved to …; to be made again`. */
  readonly problem: string;
};
export type OnDamage = (damage: Damage) => void;

/** Reports damage as a warning of the process (stderr, unless the process listens to `warning`). */
export function warnOfDamage({ path, problem }: Damage): void {
  process.emitWarning(`${path}: ${problem}`, 'ArtifactDamage');
}

/**
 * The value that `read` returns. When `read` finds that the artifact is damaged, the artifact is set aside and reported, and null is
 * returned: it has to be made again. When `read` fails for another reason, its error is thrown and nothing is moved.
 *
 * @throws StoreNotWritable, and the other errors of `read`
 */
export async function nullWhenDamaged<Value>(
  place: Place,
  onDamage: OnDamage,
  read: () => Promise<Value | null>,
): Promise<Value | null> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ArtifactDamaged)) throw error;
    const aside = await setAside(place);
    // The seal goes last: until then another reader finds the damage again.
    await remove(sealPlace(place));
    const { expected, found } = error;
    const moved = aside === null ? '' : `; moved to ${aside}`;
    onDamage({
      path: place.where,
      problem: `damaged (expected ${expected}, found ${found})${moved}; to be made again`,
    });
    return null;
  }
}
