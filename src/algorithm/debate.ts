import { type Agent, modelOf, type Role, roleOf } from './agents.ts';
import type { AnswerRules } from './answer.ts';
import { type AnswerEquality, type Consensus, majorityVote } from './consensus.ts';
import {
  critiquePrompt,
  critiqueWithSummaryPrompt,
  firstPrompt,
  type Message,
  type PromptSetName,
  promptSets,
  type Stance,
  summarisePrompt,
} from './prompts.ts';
import type { Question } from './question.ts';
import { type DrawKey, seedFor, shuffle } from './random.ts';

export type DebateSettings = {
  readonly seed: number;
  readonly iteration: number;
  /** M: round 1 gives first answers, each further round revises them. */
  readonly rounds: number;
  readonly summarize: boolean;
  /** At most so many other agents' responses are shown to an agent. */
  readonly maxOthers: number;
  readonly stopWhenUnanimous: boolean;
  readonly prompts: PromptSetName;
  /** Which of an agent's models answers in which round. */
  readonly roles: readonly Role[];
  readonly stance: Stance;
  /**
   * Agents are told a number, from 1 to so many (section 4 of the paper: a unique id instead of fine-tuning); null when they are not.
   * Where there are more of them, as voters, numbers come again.
   */
  readonly identities: number | null;
};

/** One request to a model within a debate. `(questionId, agent, round, speaker)` names it uniquely within an iteration. */
export type Utterance<Model> = {
  readonly questionId: string;
  /** For a summary: the agent for whom the others are summarised. */
  readonly agent: number;
  readonly round: number;
  /** The name of the role that answers, or `summariser`. */
  readonly speaker: string;
  readonly model: Model;
  readonly messages: readonly Message[];
  readonly seed: number;
};

export type Speak<Model> = (utterance: Utterance<Model>) => Promise<string>;

/** A finished debate of one question. */
export type Debate = {
  readonly question: Question;
  /** By agent: the whole dialogue. Its last message is the agent's response of the last round. */
  readonly dialogues: readonly (readonly Message[])[];
  /** By agent, then by round: the answer extracted from the response; null when none could be parsed. */
  readonly answers: readonly (readonly (string | null)[])[];
  /** The vote over round 1: what self-consistency alone would answer. */
  readonly majority: Consensus;
  /** The vote over the last round. */
  readonly consensus: Consensus;
  /** By agent, then by round: whether the answer equals the consensus. */
  readonly agrees: readonly (readonly boolean[])[];
};

type Cast<Model> = { readonly agents: readonly Agent<Model>[]; readonly summariser: Model };

/**
 * A debate (sections 2.1 and 2.5 and Algorithm 1 of the paper): in round 1 every agent's generation model answers; in each
 * further round its critic model answers again, given its own dialogue and the others' previous responses or a summary of them
 * (`settings.roles` says which model answers when); the majority of the last round is the consensus. Whatever is by agent in the
 * result is in the order of agent numbers, however the cast is listed. Whatever `speak` throws ends the debate with that error, once the round's other agents have finished.
 */
export async function debate<Model>(
  question: Question,
  cast: Cast<Model>,
  settings: DebateSettings,
  speak: Speak<Model>,
  { extract, equal }: Pick<AnswerRules, 'extract' | 'equal'>,
): Promise<Debate> {
  const prompts = promptSets[settings.prompts];
  const agents = cast.agents.toSorted((a, b) => a.number - b.number);
  const at = (purpose: string, agent?: number, round?: number): DrawKey => ({
    seed: settings.seed,
    iteration: settings.iteration,
    purpose,
    question: question.id,
    ...(agent === undefined ? {} : { agent }),
    ...(round === undefined ? {} : { round }),
  });
  const say = async (speaker: string, model: Model, agent: number, round: number, messages: Message[]) =>
    speak({
      questionId: question.id,
      agent,
      round,
      speaker,
      model,
      messages,
      seed: seedFor(at(speaker, agent, round)),
    });

  const answerTo = async (agent: Agent<Model>, round: number, asked: Message[]): Promise<Message[]> => {
    const { name } = roleOf(settings.roles, round, settings.rounds);
    return [...asked, assistant(await say(name, modelOf(agent, name), agent.number, round, asked))];
  };

  const firstAnswer = async (agent: Agent<Model>): Promise<Message[]> => {
    const content = firstPrompt(
      prompts,
      question.text,
      settings.identities === null ? null : ((agent.number - 1) % settings.identities) + 1,
    );
    return answerTo(agent, 1, [{ role: 'user', content }]);
  };

  const revise = async (
    agent: Agent<Model>,
    round: number,
    own: readonly Message[],
    others: readonly string[],
  ): Promise<Message[]> => {
    const shown = shuffle(at('others', agent.number, round), others).slice(0, settings.maxOthers);
    const content =
      settings.summarize && shown.length > 0
        ? critiqueWithSummaryPrompt(prompts, settings.stance, await summary(agent, round, shown))
        : critiquePrompt(prompts, settings.stance, shown);
    return answerTo(agent, round, [...own, { role: 'user', content }]);
  };

  const summary = (agent: Agent<Model>, round: number, shown: readonly string[]): Promise<string> => {
    const content = summarisePrompt(prompts, question.text, shown);
    return say('summariser', cast.summariser, agent.number, round, [{ role: 'user', content }]);
  };

  let dialogues = await together(agents.map(firstAnswer));
  const answerOf = (dialogue: readonly Message[]) => answerIn(dialogue, question, extract);
  let answers = dialogues.map((dialogue) => [answerOf(dialogue)]);
  const voteOfLastRound = (purpose: string) =>
    majorityVote(
      answers.map((byRound) => byRound.at(-1) ?? null),
      equal,
      at(purpose),
    );
  const majority = await voteOfLastRound('majority');
  let consensus = majority;
  if (!(settings.stopWhenUnanimous && majority.votes === agents.length)) {
    for (let round = 2; round <= settings.rounds; round++) {
      const previous = dialogues;
      const responses = previous.map(lastResponse);
      dialogues = await together(
        agents.map((agent, index) =>
          revise(agent, round, previous[index] ?? [], responses.toSpliced(index, 1)),
        ),
      );
      answers = answers.map((byRound, index) => [...byRound, answerOf(dialogues[index] ?? [])]);
    }
    if (settings.rounds > 1) consensus = await voteOfLastRound('consensus');
  }
  return {
    // Not `question` itself: one of the held-out kind carries its gold answer, which has no business in a debate.
    question: { id: question.id, text: question.text },
    dialogues,
    answers,
    majority,
    consensus,
    agrees: await agreement(answers, consensus.answer, equal),
  };
}

/** The answer of a dialogue's last response. What repeats the question, or the prompt before that response, is no answer. */
export function answerIn(
  dialogue: readonly Message[],
  question: Question,
  extract: AnswerRules['extract'],
): string | null {
  return extract(lastResponse(dialogue), [question.text, dialogue.at(-2)?.content ?? '']);
}

/** By agent, then by round: whether the answer equals `label`. Nothing agrees with an absent label. */
export async function agreement(
  answers: readonly (readonly (string | null)[])[],
  label: string | null,
  equal: AnswerEquality,
): Promise<boolean[][]> {
  const agreesWith = async (answer: string | null) =>
    answer !== null && label !== null && (answer === label || (await equal(label, answer)));
  return Promise.all(answers.map((byRound) => Promise.all(byRound.map(agreesWith))));
}

/** All results. An error is thrown when nothing is in flight any more: no request outlives its debate, and no answer is lost. */
async function together<Result>(running: readonly Promise<Result>[]): Promise<Result[]> {
  await Promise.allSettled(running);
  return Promise.all(running);
}

function assistant(content: string): Message {
  return { role: 'assistant', content };
}

function lastResponse(dialogue: readonly Message[]): string {
  return dialogue.at(-1)?.content ?? '';
}
