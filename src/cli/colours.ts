import pc from 'picocolors';

/** Node's types say that every WriteStream has `isTTY`; in a pipe it has not. */
type Stream = { readonly isTTY?: boolean };

/** Whether a stream is a terminal that is to have colours: https://no-color.org is respected. */
export function wantsColours(stream: Stream = process.stdout): boolean {
  // A plain false: picocolors takes undefined for a wish to guess, and guesses yes where CI is set.
  return stream.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

/** Colours for stdout, or functions that change nothing. */
export function colours(stream: Stream = process.stdout) {
  return pc.createColors(wantsColours(stream));
}
