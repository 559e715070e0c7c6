import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/**
 * Calls `onLine` with each line of a program's output, without its newline. A line longer than `longest` characters comes
 * in pieces, so that a program which never ends its line cannot fill the memory.
 */
export function readLines(stream: Readable, onLine: (line: string) => void, longest = 2 ** 20): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (rest.length > longest) {
      onLine(rest);
      rest = '';
    }
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
  // A pipe that breaks is told by the exit of the program behind it.
  stream.on('error', () => undefined);
}
