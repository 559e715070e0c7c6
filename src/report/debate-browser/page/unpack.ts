/**
 * The lines of a packed block (see ../packed-lines.ts), by the decompressor that browsers and Node have.
 *
 * @throws when the block is damaged
 */
export async function unpack(packed: string): Promise<string[]> {
  const text = atob(packed);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  const unzipped = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return (await new Response(unzipped).text()).split('\n');
}
