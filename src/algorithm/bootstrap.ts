import { type Agent, firstPrompt, hintPrompt, type Message, modelOf, promptSets, roleOf } from './agents.ts';
import {
  type AnswerRules,
  byQuestionAndAgent,
  type Consensus,
  type GoldLabel,
  type Question,
} from './answer.ts';
import type { Dataset, DatasetRow } from './dataset.ts';
import { agreement, type Debate, type DebateSettings, type Speak } from './debate.ts';
import { cutAt, type Match } from './labelled-debate.ts';
import { seedFor } from './random.ts';

/**
 * STaR's turn on one training question (Zelikman et al. 2022; a baseline in section 3.2 of the paper): the model answers, and when it is
 * wrong it gets the gold answer and is asked for the reasoning that leads to it. It has the shape of a debate of one agent, whose second
 * round is that rationale. The only conversation that sees a gold answer; `label_source: gold` alone leads here.
 */
export async function bootstrap<Model>(
  question: Question,
  agent: Agent<Model>,
  settings: Pick<DebateSettings, 'seed' | 'iteration' | 'prompts' | 'roles'>,
  gold: GoldLabel,
  speak: Speak<Model>,
  { extract, equal, correct }: AnswerRules,
): Promise<Debate> {
  const prompts = promptSets[settings.prompts];
  const { name: speaker } = roleOf(settings.roles, 1, 1);
  const ask = async (
    content: string,
    round: number,
  ): Promise<{ messages: Message[]; finishReason: string }> => {
    const messages: Message[] = [{ role: 'user', content }];
    const { seed, iteration } = settings;
    const { text, finishReason } = await speak({
      questionId: question.id,
      agent: agent.number,
      round,
      speaker,
      model: modelOf(agent, speaker),
      messages,
      seed: seedFor({
        seed,
        iteration,
        // The place of a first answer in a debate: other methods draw the same.
        purpose: 'response',
        question: question.id,
        agent: agent.number,
        round,
      }),
    });
    return { messages: [...messages, { role: 'assistant', content: text }], finishReason };
  };
  const answerOf = (messages: readonly Message[]) =>
    extract(messages.at(-1)?.content ?? '', [question.text, messages.at(-2)?.content ?? '']);
  const asked = await ask(firstPrompt(prompts, question.text, null), 1);
  let dialogue = asked.messages;
  const finishReasons = [asked.finishReason];
  const first = answerOf(dialogue);
  const answers = [first];
  const [[right = false] = []] = await agreement([[first]], gold.answer, (_, answer) =>
    correct(answer, gold, question.text),
  );
  if (!right) {
    const hinted = await ask(hintPrompt(prompts, question.text, gold.answer), 2);
    dialogue = [...dialogue, ...hinted.messages];
    finishReasons.push(hinted.finishReason);
    answers.push(answerOf(dialogue));
  }
  const own = alone(answers.at(-1) ?? null);
  return {
    question: { id: question.id, text: question.text },
    dialogues: [dialogue],
    answers: [answers],
    majority: alone(first),
    consensus: own,
    agrees: await agreement([answers], own.answer, equal),
    finishReasons: { responses: [finishReasons], summaries: [[]] },
  };
}

/** The vote of one. */
function alone(answer: string | null): Consensus {
  const votes = answer === null ? 0 : 1;
  return { answer, votes, tied: votes };
}

/**
 * STaR's dataset (Zelikman et al. 2022): of each question the first answer when it is right, else the rationale that the model gave
 * to a prompt with the gold answer, if that rationale reaches it. Its parts are the `answered` and the `rationalised` questions.
 */
export function bootstrappedDataset(agents: readonly number[], debates: readonly Match[]): Dataset {
  const rows: DatasetRow[] = [];
  const counts = { answered: 0, rationalised: 0, tried: 0, cut: 0 };
  for (const debate of debates) {
    const { questionId, matches } = debate;
    for (const agent of agents) {
      const [first, ...further] = matches[agent - 1] ?? [];
      if (first !== true && further.length > 0) counts.tried += 1;
      if (first !== true && further.at(-1) !== true) continue;
      if (cutAt(debate, agent, first === true ? 0 : -1)) {
        counts.cut += 1;
      } else if (first === true) {
        counts.answered += 1;
        rows.push({ questionId, agent, completion: 'first answer' });
      } else {
        counts.rationalised += 1;
        rows.push({ questionId, agent, completion: 'rationale' });
      }
    }
  }
  return {
    rows: rows.toSorted(byQuestionAndAgent),
    parts: {
      answered: { available: counts.answered, used: counts.answered },
      rationalised: { available: counts.tried, used: counts.rationalised },
    },
    cut: counts.cut,
  };
}
