/** Two experiments share no held-out question, so nothing can be said about which is better. */
export class NoQuestionInCommon extends Error {
  override name = 'NoQuestionInCommon' as const;

  constructor(a: { experiment: string; questions: number }, b: { experiment: string; questions: number }) {
    super(
      `${a.experiment} and ${b.experiment} have no held-out question in common (${a.questions} and ${b.questions} questions): ` +
        'only experiments that are measured on the same questions can be compared. Give both the same task and seed, or the same test_file.',
    );
  }
}
