/** @jsxRuntime automatic @jsxImportSource preact */
import type { ComponentChildren } from 'preact';
import { evaluationName } from '../../../text/figures.ts';
import { useState } from 'preact/hooks';
import type { BrowsedDebate, DebateEntry, ShownKind, Turn, Vote } from '../browsed-debate.ts';
import { AnswerChip, OutcomeChip } from './list.tsx';
import { useDebate } from './hooks.ts';
import { hashOf, type Library } from './library.ts';
import { Prose } from './prose.tsx';

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

/** @jsxRuntime automatic @jsxImportSource preact */
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

/** @jsxRuntime automatic @jsxImportSource preact */
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
