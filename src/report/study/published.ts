import { z } from 'zod';
import { type MethodName, methodNames, methods } from '../../algorithm/methods/methods.ts';
import { productFile } from '../../config/installation.ts';
import type { PaperSetting } from './paper-setting.ts';

const taskNames = ['arithmetic', 'gsm8k', 'math', 'math-all-levels', 'mmlu'] as const;
/** The paper's tasks: `math` is levels 1 to 3. */
export type TaskName = (typeof taskNames)[number];

const publishedSchema = z.looseObject({
  source: z.string(),
  tables: z.array(
    z.strictObject({
      table: z.string(),
      agents: z.int(),
      iteration: z.int(),
      methods: z.array(z.enum(methodNames)),
      rows: z.array(
        z.strictObject({
          model: z.string(),
          task: z.enum(taskNames),
          /** Per cent, in the order of the methods. */
          accuracies: z.array(z.number().nullable()),
          questions: z.int().default(500),
        }),
      ),
    }),
  ),
});

/** A figure of the paper. */
export type PublishedFigure = {
  /** 0..1. */
  readonly accuracy: number;
  /** On so many questions. */
  readonly questions: number;
  readonly table: string;
};

const published = publishedSchema.parse(JSON.parse(productFile('src/report/study/published.json')));

export const publishedSource = published.source;

/** What the paper says of a method in one of its experiments after an iteration (0 for one that learns nothing), if anything. */
export function publishedFigure(
  { model, task, agents }: PaperSetting,
  method: MethodName,
  iteration: number,
): PublishedFigure | null {
  for (const { table, rows, methods: named, ...of } of published.tables) {
    if (of.iteration !== iteration && methods[method].learning !== undefined) continue;
    const row = rows.find((each) => each.model === model && each.task === task);
    const accuracy = row?.accuracies[named.indexOf(method)] ?? null;
    // One agent's answer is the same however many there are.
    const alike = of.agents === agents || methods[method].answer === 'single';
    if (row !== undefined && accuracy !== null && alike)
      return { accuracy: accuracy / 100, questions: row.questions, table };
  }
  return null;
}
