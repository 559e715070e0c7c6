import { ArtifactDamaged } from './artifact-damaged.ts';
import type { OnDamage } from './damage.ts';
import { moveAside } from './move-aside.ts';
import { removeSeal } from './sealed-file.ts';

/**
 * What `read` gives; when it finds the artifact damaged, moves it aside, tells that, and gives null: it is then to be made again.
 *
 * @throws StoreNotWritable
 */
export async function damageAside<Value>(
  path: string,
  onDamage: OnDamage,
  read: () => Promise<Value | null>,
): Promise<Value | null> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ArtifactDamaged)) throw error;
    const aside = await moveAside(path);
    // The seal goes last: until it is gone, another look finds the damage again.
    await removeSeal(path);
    const { expected, found } = error;
    const moved = aside === null ? '' : `; moved to ${aside}`;
    onDamage({ path, problem: `damaged (expected ${expected}, found ${found})${moved}; to be made again` });
    return null;
  }
}
