/** What stops the set-up, and what the user can do about it. */
export class SetupProblem extends Error {
  /**
   * @param {string} what what happened, a sentence
   * @param {string} remedy what to do, one or more lines
   */
  constructor(what, remedy) {
    super(what);
    this.name = 'SetupProblem';
    this.remedy = remedy;
  }
}
