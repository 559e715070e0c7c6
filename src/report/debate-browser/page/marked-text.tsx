/** @jsxRuntime automatic @jsxImportSource preact */
import { marked } from './marked.ts';

/** A text with what was looked for marked. */
export function Marked({ text, query }: { text: string; query: string }) {
  return <>{marked(text, query).map((piece, index) => (index % 2 === 0 ? piece : <mark>{piece}</mark>))}</>;
}
