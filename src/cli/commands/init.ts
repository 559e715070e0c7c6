import { dirname, parse, relative, resolve } from 'node:path';
import type { Limits } from '../../algorithm/steering.ts';
import { budgetOutlook } from '../../config/estimate.ts';
import { endpointsPath, loadEndpoints } from '../../config/endpoints.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { InvalidConfig } from '../../config/faults.ts';
import { colloquy } from '../../config/installation.ts';
import {
  type ConfigInput,
  fileItself,
  isConfigInput,
  mergeConfig,
  parseYaml,
  pathExists,
  readText,
  resolveTaskPaths,
  settingsOf,
} from '../../config/load.ts';
import { isEmbedded } from '../../config/agents.ts';
import { requireOwnModel, resolveConfig } from '../../config/resolve.ts';
import * as starter from '../../config/starter.ts';
import { ColloquyError, UsageError } from '../../errors.ts';
import { createTasks, loadQuestions } from '../../questions/open-task.ts';
import { writeAtomically } from '../../store/files/atomic.ts';
import { openStore } from '../../store/store.ts';
import { count, counted } from '../../text/figures.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { checkName } from '../arguments.ts';
import { command, commandLine } from '../command.ts';
import { type Checked, checkExperiment } from '../experiment/check.ts';
import { colours, isWrongAnswer, openTerminal, type Person, type Question, shortPath } from '../terminal.ts';

/** `colloquy init [FILE]` */
export const init = command('init', [
  'colloquy init my.yaml                 # asks. Where nobody can be asked, options answer:',
  'colloquy init my.yaml --task own:questions.jsonl --model Qwen/Qwen3-4B --endpoint vllm --budget 2M',
  'colloquy init my.yaml --task arithmetic --model tiny --endpoint embedded --budget none',
  'colloquy init my.yaml --task gsm8k --model some-model --endpoint openai:https://api.example.com/v1 --api-key-env SOME_API_KEY --budget 8h',
  'colloquy init my.yaml task.columns.question=problem agents=5     # settings that are written too',
])
  .argument('[file]', 'the file to write (default: experiment.yaml)')
  .argument('[overrides...]', 'more settings to write, as key=value')
  .option(
    '--task <task>',
    'take questions from: arithmetic, own:FILE, gsm8k, math, math-500, mmlu, or hub:OWNER/NAME (default: ask)',
  )
  .option(
    '--model <model>',
    'begin with this base model: tiny, a folder, a hub id, or the server’s name for it (default: ask)',
  )
  .option(
    '--endpoint <where>',
    'let it answer at: embedded, vllm (the worker runs it), vllm:URL, openai:URL, or a name of configs/endpoints.yaml (default: ask)',
  )
  .option('--api-key-env <name>', 'with a URL: the environment variable that has the key (default: no key)')
  .option(
    '--budget <limits>',
    'wait for you after so much: none, 2M (tokens), 8h (of work), or both as 2M,8h (default: ask)',
  )
  .option('--force', 'replace the file if it is there')
  .action(async (file = usualFile, overrides, { force = false, apiKeyEnv, ...given }) => {
    const named = !/^[\w.]+=/.test(file); // `colloquy init key=value` names none.
    const path = named ? file : usualFile;
    const more = resolveTaskPaths(process.cwd(), settingsOf(named ? overrides : [file, ...overrides]));
    checkName('experiment', parse(path).name);
    if (pathExists(`${path}/`)) throw new UsageError(`${path} is a folder: name a file in it.`, 'init');
    const missing = questions.filter((each) => given[each] === undefined).map((each) => `--${each}`);
    const person = process.stdin.isTTY && process.stderr.isTTY ? openTerminal() : undefined;
    if (missing.length > 0 && person === undefined)
      throw new UsageError(
        `This is no terminal, so nobody can be asked. Answer by options: ${missing.join(', ')}.`,
        'init',
      );
    if (pathExists(path) && !force && (await person?.confirms(`${path} is there. Replace it?`)) !== true) {
      person?.close();
      throw new UsageError(`${path} is there, and was left as it is. --force replaces it.`, 'init');
    }
    const found = await draft({ path, apiKeyEnv, more, given }, person);
    person?.close();
    await write(path, found);
  });

const usualFile = 'experiment.yaml';
const questions = ['task', 'model', 'endpoint', 'budget'] as const;

type Wanted = {
  readonly path: string;
  readonly apiKeyEnv: string | undefined;
  /** Settings that are written too. */
  readonly more: ConfigInput;
  readonly given: { readonly [question in (typeof questions)[number]]?: string | undefined };
};

/** What will be written. */
type Draft = {
  readonly text: string;
  readonly endpoint: starter.StarterEndpoint;
  /** Why the endpoint was not asked, e.g. because it does not answer now. */
  readonly unchecked: string | undefined;
};

/** Asks what is not given, and checks each answer. @throws the errors of answers that are given and wrong */
async function draft(wanted: Wanted, person: Person | undefined): Promise<Draft> {
  const { more, apiKeyEnv } = wanted;
  let given = wanted.given;
  const answer = async <Answer>(question: Question<Answer>, words: string | undefined): Promise<Answer> =>
    words === undefined && person !== undefined ? person.answers(question) : question.read(words ?? '');
  const { task, found, sums } = await answer(taskQuestion(wanted), given.task);
  for (;;) {
    const model = await answer(modelQuestion(task, sums), given.model);
    const endpoint = await answer(endpointQuestion(model, apiKeyEnv), given.endpoint);
    const answers = { task, model, endpoint, budget: {} };
    try {
      const { expected, rowsInAStep, unchecked } = await checked(wanted, answers, found);
      const budget = await answer(budgetQuestion(expected), given.budget);
      const text = starter.starterConfig({ ...answers, budget }, found, rowsInAStep, more);
      resolved(wanted.path, text);
      return { text, endpoint, unchecked };
    } catch (error) {
      if (person === undefined || !isWrongAnswer(error)) throw error;
      person.hears(`${error.message}\nAnother model, or another place?`);
      given = { ...given, model: undefined, endpoint: undefined };
    }
  }
}

/** How many questions were found, or why that is not known; and whether all are sums, which the tiny model can read. */
type Found = { readonly found: string; readonly sums: boolean };

function taskQuestion({ path, more }: Wanted): Question<Found & { readonly task: starter.StarterTask }> {
  return {
    asks: 'Which questions do the agents debate?',
    choices: starter.taskChoices,
    usual: starter.usualTask,
    read: async (words) => {
      const said = starter.taskOf(words) ?? starter.taskOf(pathExists(words) ? `own:${words}` : '');
      if (said === undefined) throw new UsageError(`"${words}" is none of the answers.`, 'init');
      // Written as the config will read it: relative to its own folder.
      const file = 'train_file' in said ? relative(dirname(resolve(path)), resolve(said.train_file)) : '';
      return {
        task: 'train_file' in said ? { ...said, train_file: file } : said,
        ...(await questionsOf(said, more)),
      };
    },
  };
}

/** Reads the questions, as an experiment will. */
async function questionsOf(said: starter.StarterTask, more: ConfigInput): Promise<Found> {
  const { task, seed } = resolveConfig(
    mergeConfig({ preset: 'paper', task: resolveTaskPaths(process.cwd(), said) }, more),
  );
  const tasks = createTasks();
  try {
    const { train, heldOut } = await loadQuestions(tasks.open(task), seed);
    const found = `${counted(train.length, 'question')} to learn from and ${count(heldOut.length)} that measure were found`;
    if (!starter.isMadeUp(said)) console.error(found);
    const sums = [...train, ...heldOut].every(({ text }) => /^\d+([-+*]\d+)+$/.test(text));
    return { found, sums: starter.isMadeUp(said) || sums };
  } catch (error) {
    if (!(error instanceof ColloquyError) || isWrongAnswer(error)) throw error;
    console.error(terminalSafe(`The questions could not be looked at: ${error.message}`));
    return {
      found: 'the questions were not looked at when this was written',
      sums: starter.isMadeUp(said),
    };
  } finally {
    await tasks.close();
  }
}

function modelQuestion(task: starter.StarterTask, sums: boolean): Question<string> {
  return {
    asks: 'Which model do they begin as?',
    choices: [
      'tiny               the model that comes with Colloquy: 1 M parameters, only sums such as 3+4*5-6',
      'OWNER/NAME         a model of the Hugging Face hub, or a folder, or the name that a server has for it',
    ],
    usual: starter.usualModel(task),
    read: (words) => {
      const model = starter.modelOf(words);
      if (isEmbedded({ model_name_or_path: model }) && !sums)
        throw new UsageError(
          'The tiny model reads only sums such as 3+4*5-6: these questions need another model.',
          'init',
        );
      return model;
    },
  };
}

function endpointQuestion(model: string, apiKeyEnv: string | undefined): Question<starter.StarterEndpoint> {
  const known = loadEndpoints();
  const others = Object.keys(known).filter((name) => name !== 'local');
  return {
    asks: 'Where does it answer?',
    choices: [
      ...starter.endpointChoices,
      ...(others.length === 0 ? [] : [`${others.join(', ')}: from ${shortPath(endpointsPath())}`]),
    ],
    usual: starter.usualEndpoint(model),
    read: (words) => {
      const endpoint = starter.endpointFor(words, known, apiKeyEnv);
      if (endpoint === undefined) throw new UsageError(`"${words}" is none of the answers.`, 'init');
      return endpoint;
    },
  };
}

function budgetQuestion(expected: Checked['estimate'] | undefined): Question<Limits> {
  const tokens = expected && expected.tokens.read + expected.tokens.written + expected.trainedTokens;
  const takes = tokens === undefined ? '' : ` It will take about ${count(tokens)} tokens.`;
  return {
    asks: `How much may it use before it waits for you?${takes}`,
    choices: [
      'none',
      '2M                 tokens',
      '8h                 of work',
      '2M,8h              what is used up first',
    ],
    usual: 'none',
    read: (words) => {
      const budget = starter.budgetOf(words);
      if (budget === undefined)
        throw new UsageError(`"${words}" is no budget, such as none, 500k, 2M, 8h, 30min or 2M,8h.`, 'init');
      if (expected !== undefined) for (const line of budgetOutlook(budget, expected)) console.error(line);
      return budget;
    },
  };
}

/** Does what `validate` does, with the endpoint that is not written yet. @throws what makes a config unusable */
async function checked(
  { path, more }: Wanted,
  answers: starter.Answers,
  found: string,
): Promise<{ expected?: Checked['estimate']; rowsInAStep?: number; unchecked?: string }> {
  // Few questions make few rows to learn from, and a model learns in steps.
  for (const rowsInAStep of [undefined, 8, 4, 2, 1]) {
    const config = resolved(path, starter.starterConfig(answers, found, rowsInAStep, more));
    const few = rowsInAStep === undefined ? {} : { rowsInAStep };
    try {
      const endpoints = { ...loadEndpoints(), [answers.endpoint.name]: answers.endpoint.config };
      const { estimate } = await checkExperiment(config, openStore(), endpoints);
      return { ...few, expected: estimate };
    } catch (error) {
      const faults = error instanceof InvalidConfig ? error.faults : [];
      if (faults.length > 0 && faults.every((each) => each.path === 'fine_tune') && rowsInAStep !== 1)
        continue;
      if (!(error instanceof ColloquyError) || isWrongAnswer(error)) throw error;
      return { ...few, unchecked: error.message };
    }
  }
  return {};
}

/** The config that a file with this text will be. @throws InvalidConfig */
function resolved(path: string, text: string): ExperimentConfig {
  const input = parseYaml(text, path);
  const config = resolveConfig(isConfigInput(input) ? resolveTaskPaths(dirname(path), input) : input);
  requireOwnModel(config);
  return config;
}

async function write(path: string, { text, endpoint, unchecked }: Draft): Promise<void> {
  await writeAtomically(path, [Buffer.from(text)]);
  console.log(`Wrote ${shortPath(resolve(path))}.`);
  if (endpoint.isNew) await addEndpoint(endpoint);
  if (unchecked !== undefined)
    console.log(terminalSafe(`What could not be checked now, and is when it is validated: ${unchecked}`));
  const next = [`${colloquy} dev`, commandLine(`${colloquy} run`, [path])].map(colours().bold);
  console.log(`Next, the first in a terminal of its own:\n  ${next.join('\n  ')}`);
}

/** Adds an endpoint behind those that are there, or prints it where the file is not of that form. */
async function addEndpoint(endpoint: starter.StarterEndpoint): Promise<void> {
  const [file, shown] = [endpointsPath(), shortPath(endpointsPath())];
  const text = starter.withEndpoint(pathExists(file) ? readText(file) : '', endpoint);
  let why = '';
  try {
    if (text !== undefined) await writeAtomically(fileItself(file), [Buffer.from(text)]);
  } catch (error) {
    if (!(error instanceof ColloquyError)) throw error;
    why = ` (${terminalSafe(error.message)})`;
  }
  console.log(
    text === undefined || why !== ''
      ? `${shown} could not be added to${why}. Write this into it:\n${starter.endpointPiece(endpoint)}`
      : `Added ${endpoint.name} to ${shown}; a worker that runs has to be started again to see it.`,
  );
}
