import { spokenPart } from './answer/statements.ts';
import {
  type Agent,
  critiquePrompt,
  critiqueWithSummaryPrompt,
  firstPrompt,
  type Message,
  modelOf,
  type PromptSetName,
  promptSets,
  type Role,
  roleOf,
  type Stance,
  summarisePrompt,
} from './agents.ts';
import {
  type AnswerEquality,
  type AnswerRules,
  type Consensus,
  majorityVote,
  type Question,
} from './answer.ts';
import type { FinishReasons } from './measures/cost.ts';
import { type DrawKey, seedFor, shuffle } from './random.ts';

export type DebateSettings = {
  readonly seed: number;
  readonly iteration: number;
  /** M: round 1 gives first answers, each further round revises them. */
  readonly rounds: number;
  readonly summarize: boolean;
  /** At most so many other agents' responses are shown to an agent. */
  readonly maxOthers: number;
  /** Whether others also see the thinking in a response. */
  readonly showThinking: boolean;
  readonly stopWhenUnanimous: boolean;
  readonly prompts: PromptSetName;
  /** Which of an agent's models answers in which round. */
  readonly roles: readonly Role[];
  readonly stance: Stance;
  /**
   * Each agent's prompt has a number from 1 to this one (section 4 of the paper: a unique id instead of fine-tuning); null for no numbers.
   * Where a vote has more agents than that, the numbers start again at 1.
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

/** What a model replies to an utterance. */
export type Spoken = {
  readonly text: string;
  /** Why it stopped, in the server's word: see FinishReasons. */
  readonly finishReason: string;
};

export type Speak<Model> = (utterance: Utterance<Model>) => Promise<Spoken>;

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
  readonly finishReasons: FinishReasons;
};

/** An agent's side of a debate so far. */
type Side<Model> = {
  readonly agent: Agent<Model>;
  readonly dialogue: readonly Message[];
  /** By round. */
  readonly answers: readonly (string | null)[];
  readonly finishReasons: readonly string[];
  /** The finish reasons of the summaries that it was given. */
  readonly ofSummaries: readonly string[];
};

type Cast<Model> = { readonly agents: readonly Agent<Model>[]; readonly summariser: Model };

/**
 * A debate (sections 2.1 and 2.5 and Algorithm 1 of the paper): in round 1 every agent's generation model answers; in each
 * further round its critic model answers again, given its own dialogue and the others' previous responses or a summary of them
 * (`settings.roles` says which model answers when); the majority of the last round is the consensus.
 *
 * Lists by agent in the result are in the order of agent numbers, whatever the order of the cast. An error of `speak` ends the debate
 * with that error, once the round's other agents have finished.
 *
 * A request's seed depends on the round and on the place in the debate (an agent's response, or the summary for it), not on the role that
 * answers: methods that differ in their roles alone hold the same debates of the base model.
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
  const say = async (
    place: 'response' | 'summary',
    utterance: Pick<Utterance<Model>, 'speaker' | 'model' | 'agent' | 'round' | 'messages'>,
  ) => {
    const { agent, round } = utterance;
    return speak({ ...utterance, questionId: question.id, seed: seedFor(at(place, agent, round)) });
  };

  const answerTo = async (
    content: string,
    round: number,
    { agent, dialogue, answers, finishReasons, ofSummaries }: Side<Model>,
  ): Promise<Side<Model>> => {
    const { name: speaker } = roleOf(settings.roles, round, settings.rounds);
    const messages: Message[] = [...dialogue, { role: 'user', content }];
    const model = modelOf(agent, speaker);
    const said = await say('response', { speaker, model, agent: agent.number, round, messages });
    return {
      agent,
      dialogue: [...messages, { role: 'assistant', content: said.text }],
      answers: [...answers, extract(said.text, [question.text, content])],
      finishReasons: [...finishReasons, said.finishReason],
      ofSummaries,
    };
  };

  const firstAnswer = async (agent: Agent<Model>): Promise<Side<Model>> => {
    const content = firstPrompt(
      prompts,
      question.text,
      settings.identities === null ? null : ((agent.number - 1) % settings.identities) + 1,
    );
    return answerTo(content, 1, { agent, dialogue: [], answers: [], finishReasons: [], ofSummaries: [] });
  };

  const revise = async (own: Side<Model>, round: number, others: readonly string[]): Promise<Side<Model>> => {
    const shown = shuffle(at('others', own.agent.number, round), others).slice(0, settings.maxOthers);
    if (!settings.summarize || shown.length === 0)
      return answerTo(critiquePrompt(prompts, settings.stance, shown), round, own);
    const { text, finishReason } = await summary(own.agent.number, round, shown);
    const content = critiqueWithSummaryPrompt(prompts, settings.stance, shownToOthers(text, settings) ?? '');
    return answerTo(content, round, { ...own, ofSummaries: [...own.ofSummaries, finishReason] });
  };

  const summary = (agent: number, round: number, shown: readonly string[]): Promise<Spoken> => {
    const messages: Message[] = [{ role: 'user', content: summarisePrompt(prompts, question.text, shown) }];
    return say('summary', { speaker: 'summariser', model: cast.summariser, agent, round, messages });
  };

  let sides = await together(agents.map(firstAnswer));
  const voteOfLastRound = (purpose: string) =>
    majorityVote(
      sides.map(({ answers }) => answers.at(-1) ?? null),
      equal,
      at(purpose),
    );
  const majority = await voteOfLastRound('majority');
  let consensus = majority;
  if (!(settings.stopWhenUnanimous && majority.votes === agents.length)) {
    for (let round = 2; round <= settings.rounds; round++) {
      const shown = sides.map(({ dialogue }) => shownToOthers(lastResponse(dialogue), settings));
      const shownTo = (index: number) => shown.toSpliced(index, 1).filter((each) => each !== null);
      sides = await together(sides.map((own, index) => revise(own, round, shownTo(index))));
    }
    if (settings.rounds > 1) consensus = await voteOfLastRound('consensus');
  }
  const answers = sides.map((side) => side.answers);
  return {
    // Not `question` itself: a held-out question may carry its gold answer, which must not get into a debate.
    question: { id: question.id, text: question.text },
    dialogues: sides.map(({ dialogue }) => dialogue),
    answers,
    majority,
    consensus,
    agrees: await agreement(answers, consensus.answer, equal),
    finishReasons: {
      responses: sides.map(({ finishReasons }) => finishReasons),
      summaries: sides.map(({ ofSummaries }) => ofSummaries),
    },
  };
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

/** All results. The first error is thrown only when nothing is in flight any more: no request outlives its debate, and no answer is lost. */
async function together<Result>(running: readonly Promise<Result>[]): Promise<Result[]> {
  await Promise.allSettled(running);
  return Promise.all(running);
}

/**
 * A response as others read it: without the model's thinking, `<think>…</think>`, unless the settings ask for it. Null when it is nothing but
 * thinking that was cut off.
 */
function shownToOthers(response: string, { showThinking }: DebateSettings): string | null {
  if (showThinking) return response;
  const spoken = spokenPart(response);
  if (spoken === response) return response;
  return spoken.trim() === '' ? null : spoken.trim();
}

function lastResponse(dialogue: readonly Message[]): string {
  return dialogue.at(-1)?.content ?? '';
}
