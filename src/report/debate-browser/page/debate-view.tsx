/** @jsxRuntime automatic @jsxImportSource preact */
import { evaluationName } from '../../format.ts';
import type { DebateEntry } from '../debate-entry.ts';
import { hashOf } from './address.ts';
import { Facts } from './facts.tsx';
import type { Library } from './library.ts';
import { Marked } from './marked-text.tsx';
import { OutcomeChip } from './outcome-chip.tsx';
import { Round } from './round.tsx';
import { useDebate } from './use-debate.ts';

type DebateViewProps = {
  library: Library;
  entry: DebateEntry;
  /** Marked wherever it stands. */
  query: string;
  step: (by: number) => void;
  close: () => void;
};

/** A debate side by side: a column for each agent, a row for each round. */
export function DebateView({ library, entry, query, step, close }: DebateViewProps) {
  const debate = useDebate(library, entry);
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
      </nav>
      <div class="line">
        <h2>{entry.id}</h2>
        <OutcomeChip outcome={entry.outcome} />
        {entry.tied && <span class="chip tied">tie</span>}
        {entry.unparsable && <span class="chip">unparsable</span>}
      </div>
      <OtherIterations entries={library.entries} entry={entry} />
      {typeof debate === 'string' && <p role="alert">This debate cannot be read: {debate}</p>}
      {typeof debate === 'object' && (
        <>
          <pre class="asked">
            <Marked text={debate.question} query={query} />
          </pre>
          <Facts debate={debate} />
          {debate.rounds.map((turns, index) => (
            <Round turns={turns} round={index + 1} query={query} />
          ))}
        </>
      )}
    </section>
  );
}

function OtherIterations({ entries, entry }: { entries: readonly DebateEntry[]; entry: DebateEntry }) {
  const same = entries.filter(({ id }) => id === entry.id);
  return (
    <p class="iterations">
      {same.map((each) => (
        <a href={hashOf(each)} {...(each === entry ? { 'aria-current': 'true' } : {})}>
          {evaluationName(each.iteration)} {each.outcome === 'saved' || each.outcome === 'right' ? '✓' : '✗'}
        </a>
      ))}
    </p>
  );
}
