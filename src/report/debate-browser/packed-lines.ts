import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/**
 * Gathers lines of JSON into blocks that are packed each by itself, so that a page unpacks only what it shows. A packed block is base64
 * of gzip: whatever the lines say, it has no character that means anything in HTML. `page/unpack.ts` is the reverse.
 *
 * @param blockLength a block is closed once it has so many characters
 */
export function packedLines(blockLength: number) {
  let lines: string[] = [];
  let length = 0;
  let ready: string[] = [];
  let blocks = 0;
  let bytes = 0;
  const close = async (): Promise<void> => {
    const packed = (await compressed(lines.join('\n'))).toString('base64');
    ready.push(packed);
    blocks += 1;
    bytes += packed.length;
    lines = [];
    length = 0;
  };
  return {
    /** Where the next line will be: which block, which line there. */
    place: () => ({ block: blocks, line: lines.length }),
    async add(value: object): Promise<void> {
      const line = JSON.stringify(value);
      lines.push(line);
      length += line.length;
      if (length >= blockLength) await close();
    },
    /** Closes the last block, unless it is empty. */
    async end(): Promise<void> {
      if (lines.length > 0) await close();
    },
    /** The blocks closed since this was last called. */
    take(): string[] {
      const taken = ready;
      ready = [];
      return taken;
    },
    /** Of all closed blocks, packed. */
    bytes: () => bytes,
  };
}

const compressed = promisify<string, Buffer>(gzip);
