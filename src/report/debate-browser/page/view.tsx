/** @jsxRuntime automatic @jsxImportSource preact */
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import temml from 'temml';
import { evaluationName } from '../../../text/figures.ts';
import type { BrowsedDebate, DebateEntry, ShownKind, Turn, Vote } from '../browsed-debate.ts';
import { AnswerChip, OutcomeChip } from './finder.tsx';
import { hashOf, type Library } from './library.ts';

type DebateViewProps = {
  library: Library;
  entry: DebateEntry;
  /** The searched text, which is marked. */
  query: string;
  step: (by: number) => void;
  close: () => void;
};

/** A debate side by side: a column for each agent, a row for each round. */
export function DebateView({ library, entry, query, step, close }: DebateViewProps) {
  const debate = useDebate(library, entry);
  const [formulas, setFormulas] = useState(true);
  return (
    <section class="debate" aria-label={`Debate ${entry.id}, ${evaluationName(entry.iteration)}`}>
      <nav aria-label="Through the list">
        <button type="button" class="back" onClick={close}>
          ‹ List
        </button>
        <button type="button" onClick={() => step(-1)}>
          ↑ Previous
        </button>
        <button type="button" onClick={() => step(1)}>
          ↓ Next
        </button>
        <button
          type="button"
          class="formulas"
          aria-pressed={formulas}
          title="Show LaTeX as formulas, or as it was written"
          onClick={() => setFormulas(!formulas)}
        >
          Formulas
        </button>
      </nav>
      <div class="line">
        <h2>{entry.id}</h2>
        <OutcomeChip outcome={entry.outcome} />
        {entry.tied && <span class="chip tied">tie</span>}
        {entry.unparsable && <span class="chip">unparsable</span>}
        {entry.cutOff && <span class="chip tied">cut off</span>}
      </div>
      <OtherIterations entries={library.entries} entry={entry} />
      {typeof debate === 'string' && <p role="alert">This debate cannot be read: {debate}</p>}
      {typeof debate === 'object' && (
        <>
          <pre class="asked">
            <Prose text={debate.question} query={query} formulas={formulas} />
          </pre>
          <Facts debate={debate} />
          {debate.rounds.map((turns, index) => (
            <Round turns={turns} round={index + 1} query={query} formulas={formulas} />
          ))}
        </>
      )}
    </section>
  );
}

/** The debate, or why it cannot be read; undefined while it is read. The previous debate stays until the next one is there. */
function useDebate({ readBlock }: Library, { block, line }: DebateEntry): BrowsedDebate | string | undefined {
  const [debate, setDebate] = useState<BrowsedDebate | string>();
  useEffect(() => {
    let left = false;
    const shown = (value: BrowsedDebate | string) => {
      if (!left) setDebate(value);
    };
    readBlock(block).then(
      (debates) => shown(debates[line] ?? 'it is not where it should be.'),
      (error: unknown) => shown(String(error)),
    );
    return () => {
      left = true;
    };
  }, [readBlock, block, line]);
  return debate;
}

function OtherIterations({ entries, entry }: { entries: readonly DebateEntry[]; entry: DebateEntry }) {
  const same = entries.filter(({ id, set }) => id === entry.id && set === entry.set);
  return (
    <p class="iterations">
      {same.map((each) => (
        <a href={hashOf(each)} {...(each === entry ? { 'aria-current': 'true' } : {})}>
          {evaluationName(each.iteration)}
          {each.outcome !== null && (each.outcome === 'saved' || each.outcome === 'right' ? ' ✓' : ' ✗')}
        </a>
      ))}
    </p>
  );
}

const shownNames: Record<ShownKind, string> = {
  prompt: 'Prompt',
  responses: 'What it was shown',
  summary: 'Summary it was shown',
};

/** The responses of all agents in a round, side by side. */
export function Round({
  turns,
  round,
  query,
  formulas,
}: {
  turns: readonly Turn[];
  round: number;
  query: string;
  formulas: boolean;
}) {
  return (
    <section class="round" aria-label={`Round ${round}`}>
      <h3>Round {round}</h3>
      <div class="agents" style={{ '--agents': String(turns.length) }}>
        {turns.map(({ shown, response, finishReason, answer, verdict }, agent) => (
          <article aria-label={`Agent ${agent + 1}, round ${round}`}>
            <h4>
              Agent {agent + 1} <AnswerChip answer={answer} verdict={verdict} />
            </h4>
            {shown !== null && (
              <details open={shown.kind === 'summary'}>
                <summary>{shownNames[shown.kind]}</summary>
                <pre class="shown">
                  <Prose text={shown.text} query={query} formulas={formulas} />
                </pre>
              </details>
            )}
            <pre tabIndex={0} aria-label="Response">
              <Prose text={response} query={query} formulas={formulas} />
            </pre>
            {finishReason !== null && (
              <p class="stopped">
                <span class={finishReason.cutOff ? 'chip tied' : 'chip'}>
                  {finishReason.cutOff ? 'cut off' : 'ended'} · finish_reason {finishReason.word}
                </span>
              </p>
            )}
          </article>
        ))}
      </div>
    </section>
  );
}

/** The gold answer and the votes. */
export function Facts({ debate }: { debate: BrowsedDebate }) {
  const agents = debate.rounds[0]?.length ?? 0;
  return (
    <dl class="facts">
      {debate.gold !== null && (
        <Fact name="Gold answer">
          <span class="chip">{debate.gold}</span>
        </Fact>
      )}
      <Fact name="Vote after round 1">
        <VoteText vote={debate.first} agents={agents} />
      </Fact>
      {debate.rounds.length > 1 && (
        <Fact name={`Vote after round ${debate.rounds.length}`}>
          <VoteText vote={debate.last} agents={agents} />
        </Fact>
      )}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function VoteText({ vote, agents }: { vote: Vote; agents: number }) {
  return (
    <>
      {vote.correct === null ? (
        <span class="chip">{vote.answer ?? 'no consensus'}</span>
      ) : (
        <AnswerChip answer={vote.answer} verdict={vote.correct ? 'right' : 'wrong'} />
      )}{' '}
      {`${vote.votes} of ${agents}${vote.tied > 1 ? `, drawn among ${vote.tied} answers` : ''}`}
    </>
  );
}

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
