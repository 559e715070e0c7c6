import { answerClasses, type AnswerRules, type GoldLabel, majorityVote } from './answer.ts';
import { isCutOff } from './measures/cost.ts';
import { agreement, type Debate } from './debate.ts';
import type { Message } from './agents.ts';

/** A debate of a training question together with what is taken for right: what the datasets are made from. */
export type LabelledDebate = Match & {
  /** By agent. */
  readonly dialogues: readonly (readonly Message[])[];
};

/** What decides which datasets a debate goes into: little enough to be held for every question at once, as texts are not. */
export type Match = {
  readonly questionId: string;
  /** By agent, then by round: whether the answer equals the label. */
  readonly matches: readonly (readonly boolean[])[];
  /**
   * By agent, then by round: whether the response was cut off. It is then no example to learn from, because training would put the end
   * of a turn behind an unfinished text. Empty when cut responses are learnt from like others (`train_on_cut_answers`).
   */
  readonly cut: readonly (readonly boolean[])[];
  /**
   * How far the label's votes are ahead of those of the next answer, as a share of all that vote: 0 for a tie, 1 where all agree. Only
   * where labels are weighted.
   */
  readonly margin?: number;
  /**
   * N, where agents gave more first answers than one (`samples`): the entries of `matches` and `cut` behind it are those answers, in turn of agents
   * 1..N, 1..N and so on.
   */
  readonly agents?: number;
};

/** The agent that gave an answer. @param place 1..N; higher for samples, see Match */
export function giverOf({ agents }: Pick<Match, 'agents'>, place: number): number {
  return agents === undefined ? place : ((place - 1) % agents) + 1;
}

/** Whether an agent's response was cut off. @param agent 1..N  @param index of the round, from 0; -1 is the last one */
export function cutAt({ cut }: Pick<Match, 'cut'>, agent: number, index: number): boolean {
  return cut[agent - 1]?.at(index) === true;
}

/** Where labels come from: the debates themselves, or answers that somebody knows, by question id. */
export type Labels =
  | (ConsensusLabels & { readonly from: 'consensus'; readonly weight: 'none' | 'margin' })
  | { readonly from: 'gold'; readonly answers: ReadonlyMap<string, GoldLabel> };

/** Which votes make a label, and how many it has to have. */
export type ConsensusLabels = AgreementWindow & {
  /** Absent where the last answers vote, as they do on the debate's own answer. */
  readonly allRounds?: AllRounds;
};

/** How many votes a consensus has to have to be a label. */
export type AgreementWindow = { readonly minVotes: number; readonly maxVotes?: number | undefined };

/** All answers of all rounds vote on the label (`label_votes: both`): N agents have N times M votes. */
export type AllRounds = {
  /** M. A debate that ended earlier, because all agreed, counts its last answers again for each round that it did not need. */
  readonly rounds: number;
  /** With the iteration: of the draw that settles a tie. */
  readonly seed: number;
  readonly iteration: number;
};

/** Whether a number of votes is in the window. */
export function isInWindow(votes: number, { minVotes, maxVotes = Infinity }: AgreementWindow): boolean {
  return votes >= minVotes && votes <= maxVotes;
}

/**
 * A debate with its label; null when it has none.
 *
 * @param sampled the question's samples, if there are any: they are judged by the label and vote on nothing
 */
export async function labelDebate(
  debate: Debate,
  labels: Labels,
  rules: Pick<AnswerRules, 'correct' | 'equal'>,
  sampled?: Debate,
): Promise<LabelledDebate | null> {
  if (labels.from === 'consensus') {
    const voted = await withLabelVote(debate, labels, rules);
    const all = withSamples(voted, sampled);
    const more = await agreement(
      all.answers.slice(debate.answers.length),
      voted.consensus.answer,
      rules.equal,
    );
    const labelled = labelByConsensus({ ...all, agrees: [...voted.agrees, ...more] }, labels);
    if (labelled === null || labels.weight === 'none') return labelled;
    return { ...labelled, margin: await marginOf(votesOf(debate, labels), rules) };
  }
  const gold = labels.answers.get(debate.question.id);
  return gold === undefined ? null : labelByGold(withSamples(debate, sampled), gold, rules);
}

/** A debate with its samples, which stand behind its own answers as if more agents had given them. Whether they agree with its answer is not in it. */
export function withSamples<Debated extends Debate>(debate: Debated, sampled: Debate | undefined): Debated {
  if (sampled === undefined) return debate;
  const own = debate.answers.length;
  const { responses, summaries } = debate.finishReasons;
  return {
    ...debate,
    dialogues: [...debate.dialogues, ...sampled.dialogues.slice(own)],
    answers: [...debate.answers, ...sampled.answers.slice(own)],
    finishReasons: { responses: [...responses, ...sampled.finishReasons.responses.slice(own)], summaries },
  };
}

/**
 * A debate with the vote that makes its label in the place of its own. Where all rounds vote, an answer with as many votes as another is the
 * label if it is the debate's own consensus, and otherwise a draw decides.
 */
export async function withLabelVote(
  debate: Debate,
  labels: Pick<ConsensusLabels, 'allRounds'>,
  { equal }: Pick<AnswerRules, 'equal'>,
): Promise<Debate> {
  if (labels.allRounds === undefined) return debate;
  const { seed, iteration } = labels.allRounds;
  const tieBreak = { seed, iteration, purpose: 'label', question: debate.question.id };
  const consensus = await majorityVote(votesOf(debate, labels), equal, tieBreak, debate.consensus.answer);
  return { ...debate, consensus, agrees: await agreement(debate.answers, consensus.answer, equal) };
}

/** The answers that vote on the label. */
function votesOf({ answers }: Debate, { allRounds }: Pick<ConsensusLabels, 'allRounds'>): (string | null)[] {
  return answers.flatMap((byRound) => {
    const last = byRound.at(-1) ?? null;
    if (allRounds === undefined) return [last];
    return Array.from({ length: allRounds.rounds }, (_, round) =>
      round < byRound.length ? (byRound[round] ?? null) : last,
    );
  });
}

/**
 * The label is the consensus (section 2.2 of the paper: no gold answers). Null when its votes are outside the window or when
 * nothing could be parsed: such a question yields no data.
 */
export function labelByConsensus(debate: Debate, window: AgreementWindow): LabelledDebate | null {
  if (debate.consensus.answer === null || !isInWindow(debate.consensus.votes, window)) return null;
  return {
    questionId: debate.question.id,
    dialogues: debate.dialogues,
    matches: debate.agrees,
    cut: cutResponses(debate),
  };
}

/** See Match. @param votes the answers that voted on the label */
async function marginOf(
  votes: readonly (string | null)[],
  { equal }: Pick<AnswerRules, 'equal'>,
): Promise<number> {
  const classes = await answerClasses(votes, equal);
  const [first = 0, second = 0] = classes.map((members) => members.length).toSorted((a, b) => b - a);
  return (first - second) / votes.length;
}

/** The label is the gold answer (`label_source: gold`, the STaR baseline, section 3.2 of the paper). */
export async function labelByGold(
  debate: Debate,
  gold: GoldLabel,
  rules: Pick<AnswerRules, 'correct'>,
): Promise<LabelledDebate> {
  return {
    questionId: debate.question.id,
    dialogues: debate.dialogues,
    matches: await rightAnswers(debate, gold, rules),
    cut: cutResponses(debate),
  };
}

/** By agent, then by round: whether the answer is right. */
export async function rightAnswers(
  { answers, question }: Pick<Debate, 'answers' | 'question'>,
  gold: GoldLabel,
  { correct }: Pick<AnswerRules, 'correct'>,
): Promise<boolean[][]> {
  return agreement(answers, gold.answer, (_, answer) => correct(answer, gold, question.text));
}

function cutResponses({ finishReasons }: Debate): boolean[][] {
  return finishReasons.responses.map((byRound) => byRound.map(isCutOff));
}
