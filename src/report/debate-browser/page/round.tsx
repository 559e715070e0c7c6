/** @jsxRuntime automatic @jsxImportSource preact */
import type { Turn } from '../browsed-debate.ts';
import { AnswerChip } from './answer-chip.tsx';
import { Marked } from './marked-text.tsx';

/** What all agents said in a round, side by side. */
export function Round({ turns, round, query }: { turns: readonly Turn[]; round: number; query: string }) {
  return (
    <section class="round" aria-label={`Round ${round}`}>
      <h3>Round {round}</h3>
      <div class="agents" style={{ '--agents': String(turns.length) }}>
        {turns.map(({ shown, response, answer, verdict }, agent) => (
          <article aria-label={`Agent ${agent + 1}, round ${round}`}>
            <h4>
              Agent {agent + 1} <AnswerChip answer={answer} verdict={verdict} />
            </h4>
            {shown !== null && (
              <details open={shown.summary}>
                <summary>{shown.summary ? 'Summary it was shown' : 'What it was shown'}</summary>
                <pre class="shown">
                  <Marked text={shown.text} query={query} />
                </pre>
              </details>
            )}
            <pre tabIndex={0} aria-label="Response">
              <Marked text={response} query={query} />
            </pre>
          </article>
        ))}
      </div>
    </section>
  );
}
