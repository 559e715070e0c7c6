import { ArtifactDamaged, ArtifactMissing } from '../../store/errors.ts';

/**
 * What can be read, up to the first artifact that is damaged or gone; that one's error goes to `problems`. For what is worth showing in
 * part: a result that is safe must not wait for a debate of long ago to be held again.
 */
export async function* untilDamaged<Item>(
  items: AsyncIterable<Item>,
  problems: Error[],
): AsyncGenerator<Item> {
  try {
    yield* items;
  } catch (error) {
    if (!(error instanceof ArtifactDamaged || error instanceof ArtifactMissing)) throw error;
    problems.push(error);
  }
}
