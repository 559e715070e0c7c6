/** What happens to an artifact that was read and found damaged: it is set aside for a person, and then made again. */
import { type Place, remove, setAside } from '../blobs.ts';
import { ArtifactDamaged } from '../errors.ts';
import { sealPlace } from './sealed.ts';

/** Damage that was found and dealt with. The code that opens an artifact decides how it is reported. */
export type Damage = {
  /** For people. */
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
 * The value that `read` returns. When `read` finds the artifact damaged, it is set aside, reported, and null is returned: it has to be
 * made again. A read that fails for any other reason throws, and nothing is moved.
 *
 * @throws StoreNotWritable, what `read` throws
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
