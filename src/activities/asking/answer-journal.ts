import { z } from 'zod';
import type { Message } from '../../algorithm/agents.ts';
import { shuffle } from '../../algorithm/random.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { abortable } from '../../engines/waiting.ts';
import { appendAndRemember, type Entries, requireRoom } from '../../store/files/journal.ts';
import { streamRows } from '../../store/files/rows.ts';
import { type DebateRow, debateRowSchema, heldOutQuestionSchema } from '../../store/records/rows.ts';
import { type JournalPlace, openStepJournal, type StepJournal } from '../../store/files/take-over.ts';
import type { ExperimentFiles } from '../../store/store.ts';

const answerSchema = z.object({
  text: z.string(),
  promptTokens: z.number(),
  completionTokens: z.number(),
  /** Why the model stopped, in the server's word. Older versions did not write it. */
  finishReason: z.string().default('unknown'),
  /** How many of the dialogue's oldest turns did not fit into the model's context. */
  turnsLeftOut: z.number().optional(),
});
export type Answer = Readonly<z.infer<typeof answerSchema>>;

type Ask = (keep: (answer: Answer) => void) => Promise<Answer>;

/** Answers by a hash of all that they depend on, so that the same request is made once, whichever step has it. */
export type AnswerJournal = {
  /**
   * The answer that is journalled, or the one that another step in this process is waiting for, or what `ask` gives.
   *
   * @param ask has to `keep` its answer as soon as it has it
   * @param signal ends the wait for another step's answer
   */
  readonly answer: (request: string, ask: Ask, signal: AbortSignal) => Promise<Answer>;
  /** See `requireRoom` in store/files/journal.ts. @throws DiskFull, StoreNotWritable */
  readonly requireRoom: () => void;
  /** Other hosts find all answers when this resolves. @throws the errors of the store */
  readonly close: () => Promise<void>;
};

/**
 * Opens a journal of answers. In one process there is one of each file, however many steps have it open: those of a study's experiments
 * that ask the same questions at the same time. A process
 * sees what was in the file when it opened it, and what it has asked itself. So two processes may ask the same, and where an
 * engine does not repeat itself each keeps its own answer.
 *
 * @param epoch of the step's claim
 * @throws DiskFull, StoreNotWritable, and the errors of the store
 */
export async function openAnswerJournal(place: JournalPlace, epoch: number): Promise<AnswerJournal> {
  const { path } = place;
  const shared = opened.get(path) ?? {
    users: 0,
    journal: openStepJournal(place, epoch),
    asked: new Map(),
  };
  opened.set(path, shared);
  shared.users += 1;
  const leave = (): void => {
    shared.users -= 1;
    if (shared.users === 0) opened.delete(path);
  };
  try {
    const journal = await shared.journal;
    return {
      answer: (request, ask, signal) => answerOnce(journal, shared.asked, request, ask, signal),
      requireRoom: () => requireRoom(journal),
      close: async () => {
        leave();
        await (shared.users === 0 ? journal.close() : journal.flush());
      },
    };
  } catch (error) {
    leave();
    throw error;
  }
}

type Shared = {
  users: number;
  readonly journal: Promise<StepJournal>;
  /** What is in flight, by request. */
  readonly asked: Map<string, Promise<Answer>>;
};
const opened = new Map<string, Shared>();

async function answerOnce(
  journal: Entries,
  asked: Map<string, Promise<Answer>>,
  request: string,
  ask: Ask,
  signal: AbortSignal,
): Promise<Answer> {
  for (;;) {
    const entry = journal.get(request);
    // Almost every answer is new, and a parse that fails costs more than all else here.
    const known = entry === undefined ? undefined : answerSchema.safeParse(entry).data;
    if (known !== undefined) return known;
    const inFlight = asked.get(request);
    if (inFlight === undefined) break;
    try {
      return await abortable(inFlight, signal);
    } catch {
      // Theirs may have been cancelled, and this one not: then it asks itself.
      signal.throwIfAborted();
    }
  }
  const mine = ask((answer) => appendAndRemember(journal, request, answer));
  asked.set(request, mine);
  try {
    return await mine;
  } finally {
    asked.delete(request);
  }
}

/** What the agents said first to one held-out question, by agent. */
export type FirstResponses = {
  readonly questionId: string;
  readonly responses: readonly FirstResponse[];
};
export type FirstResponse = {
  /** What the agent was asked. */
  readonly messages: readonly Message[];
  readonly text: string;
  readonly answer: string | null;
};

/**
 * The first responses to so many held-out questions, in the order of the questions: to a sample that is the same in each iteration
 * of an experiment, so that iterations are compared on the same questions; to all when there are no more. A shard is in memory at a time.
 *
 * @param shards how many shards of held-out debates there are
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function firstResponses(
  count: number,
  debates: { readonly iteration: number; readonly shards: number },
  { seed }: ExperimentConfig,
  files: ExperimentFiles,
): Promise<FirstResponses[]> {
  const ids: string[] = [];
  for await (const { id } of streamRows(files.questions('heldout'), heldOutQuestionSchema)) ids.push(id);
  const sample = new Set(shuffle({ seed, iteration: 0, purpose: 'diversity' }, ids).slice(0, count));
  const found: FirstResponses[] = [];
  for (let shard = 0; shard < debates.shards; shard++) {
    for await (const row of streamRows(files.shard(debates.iteration, 'heldout', shard), debateRowSchema)) {
      if (sample.has(row.question.id)) found.push(firstResponsesOf(row));
    }
  }
  return found;
}

function firstResponsesOf({ question, dialogues, answers }: DebateRow): FirstResponses {
  return {
    questionId: question.id,
    responses: dialogues.map((dialogue, agent) => {
      const first = dialogue.findIndex(({ role }) => role === 'assistant');
      return {
        messages: dialogue.slice(0, first),
        text: dialogue[first]?.content ?? '',
        answer: answers[agent]?.[0] ?? null,
      };
    }),
  };
}
