/** Something that the numbers show, in a plain sentence; `each` has what it is about one by one, with the numbers. */
export type Finding = { readonly sentence: string; readonly each: readonly string[] };

export function finding(sentence: string, each: readonly string[] = []): Finding {
  return { sentence, each };
}
