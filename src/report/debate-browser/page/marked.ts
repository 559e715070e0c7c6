/** A text cut at what was looked for, whatever the case of its letters: every second piece is it. */
export function marked(text: string, query: string): string[] {
  const folded = text.toLowerCase();
  const needle = query.toLowerCase();
  // Where lower case has another length, places in the one are not places in the other.
  if (needle === '' || folded.length !== text.length) return [text];
  const pieces: string[] = [];
  let start = 0;
  for (let at = folded.indexOf(needle); at !== -1; at = folded.indexOf(needle, start)) {
    pieces.push(text.slice(start, at), text.slice(at, at + needle.length));
    start = at + needle.length;
  }
  return [...pieces, text.slice(start)];
}
