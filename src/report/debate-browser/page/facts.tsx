/** @jsxRuntime automatic @jsxImportSource preact */
import type { ComponentChildren } from 'preact';
import type { BrowsedDebate, Vote } from '../browsed-debate.ts';
import { AnswerChip } from './answer-chip.tsx';

/** The gold answer and the votes. */
export function Facts({ debate }: { debate: BrowsedDebate }) {
  const agents = debate.rounds[0]?.length ?? 0;
  return (
    <dl class="facts">
      <Fact name="Gold answer">
        <span class="chip">{debate.gold}</span>
      </Fact>
      <Fact name="Vote after round 1">
        <VoteSaid vote={debate.first} agents={agents} />
      </Fact>
      {debate.rounds.length > 1 && (
        <Fact name={`Vote after round ${debate.rounds.length}`}>
          <VoteSaid vote={debate.last} agents={agents} />
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

function VoteSaid({ vote, agents }: { vote: Vote; agents: number }) {
  return (
    <>
      <AnswerChip answer={vote.answer} verdict={vote.correct ? 'right' : 'wrong'} />{' '}
      {`${vote.votes} of ${agents}${vote.tied > 1 ? `, drawn among ${vote.tied} answers` : ''}`}
    </>
  );
}
