/** Sorts by question id (code units): one order for every worker and every order of completion. */
export function byQuestion(a: { readonly questionId: string }, b: { readonly questionId: string }): number {
  return a.questionId < b.questionId ? -1 : a.questionId > b.questionId ? 1 : 0;
}
