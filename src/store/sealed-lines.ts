import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { ArtifactMissing } from './artifact-missing.ts';
import { checkSeal, readSeal } from './sealed-file.ts';

/**
 * The lines of a sealed file, without their ends, one after another: memory does not grow with the file. The seal is compared after
 * the last one; until then the lines are only probably the ones that were written.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function* sealedLines(path: string): AsyncGenerator<Buffer> {
  const seal = await readSeal(path);
  if (seal === null) throw new ArtifactMissing(path);
  const hash = createHash('sha256');
  let bytes = 0;
  let begun: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      let start = 0;
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
        yield Buffer.concat([...begun, chunk.subarray(start, end)]);
        begun = [];
        start = end + 1;
      }
      if (start < chunk.length) begun.push(chunk.subarray(start));
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw new ArtifactMissing(path);
    throw error;
  }
  checkSeal(path, { bytes, sha256: hash.digest('hex') }, seal);
  if (begun.length > 0) yield Buffer.concat(begun);
}
