/** @jsxRuntime automatic @jsxImportSource preact */
/** How did an experiment run: some of its debates, what it took, and the settings and versions that repeat it? */
import { stringify } from 'yaml';
import { z } from 'zod';
import { roleOf } from '../../algorithm/agents.ts';
import { addEarlyStop, noEarlyStop } from '../../algorithm/measures/cost.ts';
import { methodNames, methods } from '../../algorithm/methods.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import { debateBrowserFile } from '../../store/store.ts';
import { count, duration } from '../../text/figures.ts';
import { verdictOf } from '../debate-browser/browsed-debate.ts';
import { hashOf } from '../debate-browser/page/library.ts';
import { Grid } from '../parts/figures.tsx';
import { Heading, unbroken } from '../parts/page.tsx';
import type { DebateKind, DebateToRead, ReportData } from '../read/experiment.ts';

const kinds: Record<DebateKind, { title: string; text: string }> = {
  saved: { title: 'Saved by debate', text: 'The first vote was wrong, the consensus right.' },
  spoilt: { title: 'Spoilt by debate', text: 'The first vote was right, the consensus wrong.' },
  tied: { title: 'Ties', text: 'Several answers had the most votes; a seeded draw chose the consensus.' },
  right: { title: 'Right from the start', text: 'Every agent was right in round 1, and stayed so.' },
  wrong: { title: 'Wrong to the end', text: 'Neither the first vote nor the debate found the answer.' },
};

/** A few debates of the last evaluation, in full: the first of each kind, in the order of the questions. */
export function DebatesSection({
  debates,
  iteration,
  config,
}: {
  debates: readonly DebateToRead[];
  iteration: number;
  /** The resolved config. */
  config: unknown;
}) {
  if (debates.length === 0) return null;
  const speaker = speakersOf(config);
  const which = iteration === 0 ? 'of the base model' : `after iteration ${iteration}`;
  return (
    <section>
      <Heading title="Some debates to read" />
      <p class="note">
        {`On held-out questions, ${which}: the first of each kind, not chosen. Click one to read it; `}
        <a href={debateBrowserFile}>the browser for debates</a> has all of them, and{' '}
        <code>colloquy show</code> prints any one.
      </p>
      {Object.entries(kinds).map(([kind, { title, text }]) => {
        const ofKind = debates.filter((each) => each.kind === kind);
        if (ofKind.length === 0) return null;
        return (
          <>
            <h3>
              {title} <span class="note">· {text}</span>
            </h3>
            {ofKind.map((each, index) => (
              <DebateCard
                shown={each}
                iteration={iteration}
                speaker={speaker}
                open={kind === 'saved' && index === 0}
              />
            ))}
          </>
        );
      })}
    </section>
  );
}

/** Which model answers in a round, 1 the first. */
type Speakers = (round: number) => string;

/** By the method's roles. Without a name where config.json is missing or of another version. */
function speakersOf(config: unknown): Speakers {
  const { data } = z.object({ method: z.enum(methodNames), rounds: z.int().min(1) }).safeParse(config);
  if (data === undefined) return (round) => `round ${round}`;
  const { roles } = methods[data.method];
  return (round) => `round ${round} · ${roleOf(roles, round, data.rounds).name} model`;
}

function DebateCard({
  shown,
  iteration,
  speaker,
  open,
}: {
  shown: DebateToRead;
  iteration: number;
  speaker: Speakers;
  open: boolean;
}) {
  const { debate, outcome, base } = shown;
  return (
    <details class="debate" open={open}>
      <summary>
        <span class="question">{debate.question.text}</span>
        <Chip tone="" text={`answer ${outcome.gold}`} />
        <Chip
          tone={outcome.majority.correct ? 'right' : 'wrong'}
          text={`first vote ${answerText(outcome.majority.answer)}`}
        />
        <Chip
          tone={outcome.debate.correct ? 'right' : 'wrong'}
          text={`consensus ${answerText(outcome.debate.answer)}`}
        />
        {debate.consensus.tied > 1 && <Chip tone="tied" text={`tie of ${debate.consensus.tied}`} />}
        {base !== undefined && base !== outcome && (
          <Chip
            tone={base.debate.correct ? 'right' : 'wrong'}
            text={`base’s consensus ${answerText(base.debate.answer)}`}
          />
        )}
      </summary>
      <div class="dialogues">
        {debate.dialogues.map((dialogue, agent) => (
          <div>
            <h4>Agent {agent + 1}</h4>
            {dialogue.slice(1).map((message, index) => {
              const round = Math.floor(index / 2) + 1;
              if (message.role === 'user')
                return <TurnText who={`shown before round ${round + 1}`} text={message.content} shown />;
              return (
                <TurnText
                  who={speaker(round)}
                  text={message.content}
                  answer={debate.answers[agent]?.[round - 1] ?? null}
                  tone={verdictOf(debate, outcome, agent, round)}
                />
              );
            })}
          </div>
        ))}
      </div>
      <p class="note alone">
        <a href={debateBrowserFile + hashOf({ iteration, id: debate.question.id })}>Side by side</a>
      </p>
    </details>
  );
}

function TurnText(turn: {
  who: string;
  text: string;
  shown?: boolean;
  answer?: string | null;
  tone?: string;
}) {
  return (
    <div class={turn.shown === true ? 'turn shown' : 'turn'}>
      <div class="who">
        {turn.who}
        {turn.answer !== undefined && <Chip tone={turn.tone ?? ''} text={answerText(turn.answer)} />}
      </div>
      <pre>{turn.text}</pre>
    </div>
  );
}

function Chip({ tone, text }: { tone: string; text: string }) {
  return <span class={`chip ${tone}`}>{text}</span>;
}

function answerText(answer: string | null): string {
  return answer ?? 'none readable';
}

/** How the time and the tokens were spent. */
export function CostSection({
  tokens,
  seconds,
  distilled,
  earlyStops,
}: Pick<ExperimentResult, 'tokens' | 'seconds' | 'distilled' | 'earlyStops'>) {
  const phases = [
    { name: 'Debates', value: seconds.debate },
    { name: 'Datasets', value: seconds.datasets },
    { name: 'Fine-tunes', value: seconds.fineTune },
    { name: 'Evaluation', value: seconds.evaluation },
    ...(distilled === undefined ? [] : [{ name: 'One model', value: secondsOf(distilled) }]),
  ];
  const used = [
    { name: 'Debates, read', value: tokens.debate.prompt },
    { name: 'Debates, written', value: tokens.debate.completion },
    { name: 'Evaluation, read', value: tokens.evaluation.prompt },
    { name: 'Evaluation, written', value: tokens.evaluation.completion },
    { name: 'Fine-tunes', value: tokens.fineTune },
    ...(distilled === undefined ? [] : [{ name: 'One model', value: tokensOf(distilled) }]),
  ];
  return (
    <section>
      <Heading title="What it took" />
      <div class="columns">
        <div class="card">
          <h3>Time, {duration(phases.reduce((sum, { value }) => sum + value, 0))} in all</h3>
          <Bars rows={phases} text={duration} />
        </div>
        <div class="card">
          <h3>Tokens, {count(used.reduce((sum, { value }) => sum + value, 0))} in all</h3>
          <Bars rows={used} text={count} />
        </div>
      </div>
      {earlyStops !== undefined && earlyStops.length > 0 && (
        <p class="note">{unbroken(earlyStopsText(earlyStops))}</p>
      )}
    </section>
  );
}

function secondsOf({ seconds, evaluation }: NonNullable<ExperimentResult['distilled']>): number {
  return seconds.dataset + seconds.fineTune + (evaluation?.seconds ?? 0);
}

function tokensOf({ tokens, evaluation }: NonNullable<ExperimentResult['distilled']>): number {
  return tokens + (evaluation === null ? 0 : evaluation.tokens.prompt + evaluation.tokens.completion);
}

/** What `stop_when_unanimous` has saved. */
function earlyStopsText(stops: NonNullable<ExperimentResult['earlyStops']>): string {
  const { debates, stopped } = stops.map(({ counts }) => counts).reduce(addEarlyStop, noEarlyStop);
  const known = stops.flatMap(({ tokensSaved }) => tokensSaved ?? []);
  const saved = known.reduce((sum, each) => sum + each, 0);
  const unknown = known.length < stops.length ? ' (not known where no debate went on)' : '';
  return `${count(stopped)} of ${count(debates)} debates ended after round 1, because all answers were equal. That saved about ${count(saved)} tokens${unknown}: an estimate, by what the further rounds cost the debates that went on.`;
}

type BarsProps = { rows: readonly { name: string; value: number }[]; text: (value: number) => string };

function Bars({ rows, text }: BarsProps) {
  const most = Math.max(...rows.map(({ value }) => value), Number.MIN_VALUE);
  return (
    <table>
      <tbody>
        {rows.map(({ name, value }) => (
          <tr>
            <th>{name}</th>
            <td>{text(value)}</td>
            <td class="bar">
              <i style={{ width: `${((value / most) * 100).toFixed(1)}%` }} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The resolved config and the versions that it ran with: enough to repeat the experiment. */
export function ConfigSection({
  config,
  versions,
  changes = [],
}: Pick<ReportData, 'config'> & Pick<ExperimentResult, 'versions' | 'changes'>) {
  return (
    <section>
      <Heading title="Settings and versions" />
      {changes.length > 0 && (
        <Grid
          caption="Settings that were changed while it ran; the resolved config is that of the beginning"
          head={['Setting', 'Before', 'After', 'From iteration']}
          rows={changes.map(({ path, before, after, fromIteration }) => [
            <code>{path}</code>,
            settingText(before),
            settingText(after),
            fromIteration,
          ])}
        />
      )}
      <div class="columns">
        <div class="card">
          <h3>Resolved config</h3>
          <pre>{config === null ? 'config.json is missing.' : stringify(config)}</pre>
        </div>
        <div class="card">
          <h3>Versions</h3>
          <table>
            <tbody>
              {Object.entries(versions).map(([name, version]) => (
                <tr>
                  <th>{name}</th>
                  <td>{version}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </section>
  );
}

/** A setting's value, as in a config file. */
function settingText(value: unknown): string {
  return value === undefined ? 'not set' : stringify(value).trim();
}
