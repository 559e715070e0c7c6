import { terminalSafe } from '../report/terminal-safe.ts';
import type { Progress, Waiting } from './progress.ts';
import { shellWord } from './progress-table.ts';
import { stepText } from './step-text.ts';

/** One thing that a person should know or do: our own words, then the words of others, or commands to be copied. */
export type Note = {
  readonly says: string;
  /** What a server or a program said: of any length up to 1,000 characters, and not to be trusted. */
  readonly quoted?: string;
  readonly commands?: readonly string[];
};

/** What happened, where, and the commands that go on: for the Temporal UI and the terminal alike. Nothing while all goes well. */
export function whatWaits({ experiment, state, waiting }: Progress): Note[] {
  if (state === 'paused') return [goOn('It is paused. To go on, either of:', experiment, 'resume')];
  if (waiting.length === 0) return [];
  const causes = byReason(waiting);
  return [
    ...causes.slice(0, mostCauses).map(describeCause),
    ...(causes.length > mostCauses
      ? [{ says: `And ${causes.length - mostCauses} more causes: the query \`progress\` lists all.` }]
      : []),
    goOn('When that is put right, either of these tries again:', experiment, 'retry'),
    {
      says: 'Or give up, with either of these. What is finished stays:',
      commands: [
        `colloquy abort ${shellWord(experiment)}`,
        `temporal workflow update execute --workflow-id ${shellWord(experiment)} --name abort --input '"my reason"'`,
      ],
    },
  ];
}

const mostCauses = 3;
const longestReason = 1_000;

/** Shards of one dead endpoint fail for one reason, which is then told once. */
function byReason(waiting: readonly Waiting[]): Waiting[][] {
  const groups = new Map<string, Waiting[]>();
  for (const each of waiting) groups.set(each.reason, [...(groups.get(each.reason) ?? []), each]);
  return [...groups.values()];
}

function describeCause(group: readonly Waiting[]): Note {
  const [first] = group;
  const reason = terminalSafe(first?.reason ?? '');
  const others = group.length > 1 ? ` and ${group.length - 1} more` : '';
  return {
    says: `Stopped at ${first?.since ?? ''}: ${stepText(first?.step ?? '')}${others}, after all its retries or for a cause that retries cannot mend:`,
    quoted: reason.length > longestReason ? `${reason.slice(0, longestReason)}…` : reason,
  };
}

function goOn(says: string, experiment: string, update: 'resume' | 'retry'): Note {
  const name = shellWord(experiment);
  return {
    says,
    commands: [
      `colloquy ${update} ${name}`,
      `temporal workflow update execute --workflow-id ${name} --name ${update}`,
    ],
  };
}
