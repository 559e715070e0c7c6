import { type AnswerEquality, type AnswerRules, shortAnswers } from '../../src/algorithm/answer.ts';
import * as fc from 'fast-check';
import { baseAgents, critic, generation } from '../../src/algorithm/agents.ts';
import {
  type Debate,
  debate,
  type DebateSettings,
  type Spoken,
  type Utterance,
} from '../../src/algorithm/debate.ts';

/** The responses by agent, then by round. */
export type Script = readonly (readonly string[])[];

/** Answers are equal when their numbers are, so that `7`, `07` and `7.0` are one class. */
export const sameNumber: AnswerEquality = (reference, answer) => Number(reference) === Number(answer);
export const numbers: AnswerRules = shortAnswers(sameNumber);

export const paperSettings: DebateSettings = {
  seed: 0,
  iteration: 1,
  rounds: 2,
  summarize: false,
  maxOthers: 5,
  showThinking: false,
  stopWhenUnanimous: false,
  prompts: 'paper',
  roles: [generation, critic],
  stance: 'debate',
  identities: null,
};

export const cast = (agents: number, roles = paperSettings.roles) => ({
  agents: baseAgents(
    Array.from({ length: agents }, () => 'base'),
    roles,
  ),
  summariser: 'summariser',
});

/** Speaks by the script and keeps every request in `requests`. */
export function speaker(script: Script) {
  const requests: Utterance<string>[] = [];
  const speak = async (utterance: Utterance<string>): Promise<Spoken> => {
    requests.push(utterance);
    const text =
      utterance.speaker === 'summariser'
        ? `summary for agent ${utterance.agent} in round ${utterance.round}`
        : script[utterance.agent - 1]![utterance.round - 1]!;
    return { text, finishReason: text.startsWith(cutOff) ? 'length' : 'stop' };
  };
  return { speak, requests };
}

/** A debate with the script's numbers of agents and rounds. */
export function scripted(
  script: Script,
  settings: Partial<DebateSettings> = {},
  question = { id: 'q-1', text: '3+4' },
): Promise<Debate> {
  const all = { ...paperSettings, rounds: script[0]!.length, ...settings };
  return debate(question, cast(script.length), all, speaker(script).speak, numbers);
}

/** Begins a response of a script that is cut off. */
export const cutOff = '[cut off] ';

/** A response: its text is unique to agent and round; its answer is one of a few, so that agents often agree. */
export const said = (agent: number, round: number, answer: string | null): string =>
  `agent ${agent} in round ${round}: ${answer === null ? 'no idea' : `\\boxed{${answer}}`}`;

/** A few answers. Some are equal but written in different ways, and some cannot be parsed. */
export const anyAnswer = fc.constantFrom('7', '7.0', '07', '8', '9', '10', null);

export const anyScript = fc
  .record({ agents: fc.integer({ min: 1, max: 6 }), rounds: fc.integer({ min: 1, max: 4 }) })
  .chain(({ agents, rounds }) =>
    fc.array(fc.array(anyAnswer, { minLength: rounds, maxLength: rounds }), {
      minLength: agents,
      maxLength: agents,
    }),
  )
  .map((byAgent) =>
    byAgent.map((byRound, agent) => byRound.map((answer, round) => said(agent + 1, round + 1, answer))),
  );

export const anySettings = fc.record({
  seed: fc.nat(),
  summarize: fc.boolean(),
  maxOthers: fc.integer({ min: 0, max: 6 }),
  stopWhenUnanimous: fc.boolean(),
  prompts: fc.constantFrom('paper' as const, 'terse' as const),
});
