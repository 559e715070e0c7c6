import pc from 'picocolors';

/** Whether a stream is a terminal that is to have colours: https://no-color.org is respected. */
export function wantsColours(stream: NodeJS.WriteStream = process.stdout): boolean {
  return stream.isTTY && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

/** Colours for stdout, or functions that change nothing. */
export function colours(stream: NodeJS.WriteStream = process.stdout) {
  return pc.createColors(wantsColours(stream));
}
