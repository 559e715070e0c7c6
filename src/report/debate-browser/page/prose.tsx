/** @jsxRuntime automatic @jsxImportSource preact */
/** A response as its model meant it: formulas are set as formulas, and the searched text is marked. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import temml from 'temml';

type ProseProps = { text: string; query: string; formulas: boolean };

/** @param formulas whether LaTeX is set. A text with the searched words in it is shown as it was written, so that they can be marked. */
export function Prose({ text, query, formulas }: ProseProps) {
  if (!formulas || marked(text, query).length > 1) return <Marked text={text} query={query} />;
  return <>{piecesOf(text).map((piece) => (piece.kind === 'text' ? piece.text : <Formula {...piece} />))}</>;
}

/** Longer formulas are shown as they were written: no person reads them, and setting them would hold up the page. */
const longestFormula = 5_000;

/** A formula as MathML, which browsers draw themselves. One that cannot be set is shown as it was written. */
function Formula({ source, latex, display }: Omit<FormulaPiece, 'kind'>) {
  const place = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    if (place.current === null) return;
    try {
      temml.render(latex, place.current, {
        displayMode: display,
        throwOnError: true,
        // A model's text links nowhere, and its macros end.
        trust: false,
        maxExpand: 1_000,
        maxSize: [5, 40],
      });
    } catch {
      place.current.textContent = source;
    }
  }, [source, latex, display]);
  return <span ref={place} title={source} />;
}

/** A part of a text: words, or a formula. */
export type Piece = { readonly kind: 'text'; readonly text: string } | FormulaPiece;
type FormulaPiece = {
  readonly kind: 'formula';
  /** As it was written, with its delimiters. */
  readonly source: string;
  readonly latex: string;
  /** Whether it stands on a line of its own. */
  readonly display: boolean;
};

/**
 * Cuts a text at its formulas: `$…$`, `$$…$$`, `\(…\)`, `\[…\]`, and a `\boxed{…}` outside of these. A dollar sign that begins an amount
 * (`$5 and $7`) begins no formula: the second one would have a blank before it or a digit behind it.
 */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let shown = 0;
  for (const match of text.matchAll(formulaPattern)) {
    const [whole, block, bracketed, inParentheses, inDollars] = match;
    const latex = block ?? bracketed ?? inParentheses ?? inDollars ?? whole;
    if (latex.length > longestFormula || latex.trim() === '') continue;
    if (match.index > shown) pieces.push({ kind: 'text', text: text.slice(shown, match.index) });
    pieces.push({
      kind: 'formula',
      source: whole,
      latex,
      display: block !== undefined || bracketed !== undefined,
    });
    shown = match.index + whole.length;
  }
  if (shown < text.length) pieces.push({ kind: 'text', text: text.slice(shown) });
  return pieces;
}

// Each alternative ends within a bounded distance, so that time is linear in the text's length.
const formulaPattern =
  /\$\$([^$]{1,5000}?)\$\$|\\\[([^]{1,5000}?)\\\]|\\\(([^]{1,5000}?)\\\)|(?<![\\$\w])\$(?![\s$])([^$\n]{0,1000}?[^\s$\\])\$(?![\d$])|\\boxed\{(?:[^{}]|\{[^{}]*\}){1,200}\}/g;

/** A text in which the searched text is marked. */
export function Marked({ text, query }: { text: string; query: string }) {
  return <>{marked(text, query).map((piece, index) => (index % 2 === 0 ? piece : <mark>{piece}</mark>))}</>;
}

/** Cuts a text at the searched text, ignoring case: every second piece is the searched text. */
export function marked(text: string, query: string): string[] {
  const folded = text.toLowerCase();
  const needle = query.toLowerCase();
  // Where lower case has another length, places in it are not places in the text.
  if (needle === '' || folded.length !== text.length) return [text];
  const pieces: string[] = [];
  let start = 0;
  for (let at = folded.indexOf(needle); at !== -1; at = folded.indexOf(needle, start)) {
    pieces.push(text.slice(start, at), text.slice(at, at + needle.length));
    start = at + needle.length;
  }
  return [...pieces, text.slice(start)];
}
