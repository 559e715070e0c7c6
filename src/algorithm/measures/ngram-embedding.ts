/** Numbers in an embedding. Two n-grams of a response share a place seldom enough, and a vector is 8 kB. */
const dimensions = 1024;

/**
 * A text as a vector of unit length, without any model: how often each sequence of 1 to 3 characters occurs, hashed into 1,024 places with a sign
 * (feature hashing: Weinberger et al., 2009), so that unlike texts are unrelated on average; each count as its logarithm, because one
 * repeated line says little more than one line. Letters' case and runs of blanks do not matter. An empty text is the zero vector.
 *
 * It sees spelling and not meaning: a proof in other words is another text to it. Its figures do not compare with the paper's, whose encoder
 * was T5-3B; they compare with one another.
 */
export function ngramEmbedding(text: string): Float64Array {
  const counts = new Map<string, number>();
  const characters = Array.from(text.normalize('NFC').toLowerCase().trim().replace(/\s+/g, ' '));
  for (let size = 1; size <= 3; size++) {
    for (let start = 0; start + size <= characters.length; start++) {
      const gram = characters.slice(start, start + size).join('');
      counts.set(gram, (counts.get(gram) ?? 0) + 1);
    }
  }
  const vector = new Float64Array(dimensions);
  for (const [gram, count] of counts) {
    const hash = fnv1a(gram);
    const place = hash % dimensions;
    vector[place] = (vector[place] ?? 0) + (hash >>> 31 === 0 ? 1 : -1) * Math.log1p(count);
  }
  const length = Math.sqrt(vector.reduce((sum, each) => sum + each * each, 0));
  return length === 0 ? vector : vector.map((each) => each / length);
}

/** FNV-1a over UTF-16 code units, then mixed so that all bits depend on all (as MurmurHash3 ends). 0..2^32-1. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
