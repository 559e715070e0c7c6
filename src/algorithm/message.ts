/** One message of a chat, as in OpenAI's protocol. */
export type Message = {
  readonly role: 'user' | 'assistant';
  readonly content: string;
};
