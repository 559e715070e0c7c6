/** The server answered with something else than the OpenAI chat protocol has: HTML, another shape, bytes that are no text. */
export class EngineAnswerInvalid extends Error {
  override name = 'EngineAnswerInvalid' as const;
  readonly url: string;
  /** What is wrong with the answer. */
  readonly fault: string;
  /** How the answer begins, without any key. */
  readonly excerpt: string;

  constructor(url: string, fault: string, excerpt: string) {
    super(
      `${url} gave an answer that is not the OpenAI protocol's: ${fault}. ` +
        `${excerpt === '' ? '' : `It begins: ${excerpt}. `}Is this the URL of an OpenAI-compatible server (ends in /v1)?`,
    );
    this.url = url;
    this.fault = fault;
    this.excerpt = excerpt;
  }
}
