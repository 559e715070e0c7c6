import { InvalidArgumentError } from '@commander-js/extra-typings';
import type { NeededModel } from '../../config/model-needs.ts';
import { createTasks } from '../../questions/open-task.ts';
import { openStore } from '../../store/store.ts';
import { count, duration, sizeText } from '../../text/figures.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { experimentFromConfig } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { type Expected, expectedFor, findQuestions } from '../experiment/check.ts';
import { colours, printJson } from '../terminal.ts';

/** `colloquy estimate CONFIG [key=value ...]` */
export const estimate = command('estimate', [
  'colloquy estimate my.yaml',
  'colloquy estimate my.yaml iterations=1 --price-in 0.25 --price-out 2',
  'colloquy estimate my.yaml --tokens-per-second 2500 --training-tokens-per-second 9000 --price-hour 3.5',
  'Time is computed from speeds that you give, or that an experiment of this store with the same models has shown; otherwise it is not known.',
  'Prices are in any currency. How near such estimates were: docs/new-experiment.md',
])
  .argument('<config>', 'a YAML or JSON file, or the name of one in configs')
  .argument('[overrides...]', 'settings to change, as key=value')
  .option(
    '--tokens-per-second <n>',
    'take this many tokens to be written a second, by all requests together (default: as measured in this store)',
    positive,
  )
  .option(
    '--training-tokens-per-second <n>',
    'take this many tokens to be trained on a second (default: as measured in this store)',
    positive,
  )
  .option('--price-in <price>', 'the price of a million tokens that models read (default: none)', price)
  .option('--price-out <price>', 'the price of a million tokens that models write (default: none)', price)
  .option(
    '--price-training <price>',
    'the price of a million tokens of fine-tuning (default: price_per_million_tokens of the trainer, if it states one)',
    price,
  )
  .option('--price-hour <price>', 'the price of an hour of the machine (default: none)', price)
  .addOption(jsonOption)
  .action(async (path, overrides, { json, ...given }) => {
    const { name, config } = experimentFromConfig(path, overrides);
    const tasks = createTasks();
    try {
      const questions = await findQuestions(config, tasks);
      const expected = await expectedFor(config, questions, openStore());
      const facts = {
        name,
        questions: { train: questions.train, heldOut: questions.heldOut },
        requests: expected.answers,
        tokens: { ...expected.tokens, trained: expected.trainedTokens },
        optimiserSteps: expected.steps,
        time: timeOf(expected, given),
        disk: diskOf(expected),
      };
      const money = moneyOf(facts, {
        ...given,
        priceTraining: given.priceTraining ?? expected.cost?.pricePerMillionTokens,
      });
      if (json) return printJson({ ...facts, money });
      const { dim } = colours();
      for (const [what, figure, about = ''] of lines({ ...facts, money }, config.diversity.questions))
        console.log(
          terminalSafe(`${what.padEnd(8)}  ${figure.padStart(14)}`) +
            (about === '' ? '' : dim(terminalSafe(`  ${about}`))),
        );
    } finally {
      await tasks.close();
    }
  });

function positive(given: string): number {
  const value = Number(given);
  if (given.trim() !== '' && value > 0 && value < 1e12) return value;
  throw new InvalidArgumentError('Expected a number above 0.');
}

function price(given: string): number {
  const value = Number(given);
  if (given.trim() !== '' && value >= 0 && value < 1e12) return value;
  throw new InvalidArgumentError('A price is a number, such as 0.25.');
}

type Given = {
  readonly tokensPerSecond?: number | undefined;
  readonly trainingTokensPerSecond?: number | undefined;
  readonly priceIn?: number | undefined;
  readonly priceOut?: number | undefined;
  readonly priceTraining?: number | undefined;
  readonly priceHour?: number | undefined;
};

/** In seconds, with where the speed is from; null where no speed is known. */
type Part = { readonly seconds: number; readonly from: string } | null;
type Time = { readonly answers: Part; readonly fineTunes: Part };

/** A speed that is given counts more than one that was measured. */
function timeOf({ tokens, trainedTokens, steps, time }: Expected, given: Given): Time {
  const part = (seconds: number | null | undefined, from: string): Part =>
    seconds === null || seconds === undefined ? null : { seconds, from };
  const measured = `at the speed of the experiment ${time?.from}`;
  const { tokensPerSecond: written, trainingTokensPerSecond: trained } = given;
  return {
    answers:
      written === undefined
        ? part(time?.answers, measured)
        : part(tokens.written / written, `at the ${count(written)} tokens a second that you gave`),
    fineTunes:
      steps === 0
        ? part(0, 'nothing is trained')
        : trained === undefined
          ? part(time?.fineTunes, measured)
          : part(trainedTokens / trained, `at the ${count(trained)} tokens a second that you gave`),
  };
}

type Disk = {
  readonly debates: number;
  /** What stays, and what there is at most while it runs; null where the architecture of a model is not known. */
  readonly models: { readonly stay: number; readonly most: number } | null;
};

function diskOf({ bytes, models }: Expected): Disk {
  const known = models.flatMap(({ needs }: NeededModel) => needs ?? []);
  const total = (of: 'models' | 'disk') => known.reduce((sum, needs) => sum + needs[of], 0);
  return {
    debates: bytes,
    models: known.length < models.length ? null : { stay: total('models'), most: total('disk') },
  };
}

type Facts = {
  readonly questions: { readonly train: number; readonly heldOut: number };
  readonly requests: number;
  readonly tokens: { readonly read: number; readonly written: number; readonly trained: number };
  readonly optimiserSteps: number;
  readonly time: Time;
  readonly disk: Disk;
};

/** Each is null where its price, or for hours the time, is not known. The total is of what is known; `hoursMissing` where an hour has a price and the time is not known. */
type Money = { readonly hoursMissing: boolean } & {
  readonly [of in 'read' | 'written' | 'trained' | 'hours' | 'total']: number | null;
};

function moneyOf({ tokens, time: { answers, fineTunes } }: Facts, prices: Given): Money {
  const millions = (amount: number, each: number | undefined) =>
    each === undefined ? null : (amount / 1e6) * each;
  const hours = answers === null || fineTunes === null ? null : (answers.seconds + fineTunes.seconds) / 3_600;
  const parts = {
    read: millions(tokens.read, prices.priceIn),
    written: millions(tokens.written, prices.priceOut),
    trained: millions(tokens.trained, prices.priceTraining),
    hours: hours === null || prices.priceHour === undefined ? null : hours * prices.priceHour,
  };
  const known = Object.values(parts).filter((part) => part !== null);
  return {
    ...parts,
    hoursMissing: parts.hours === null && prices.priceHour !== undefined,
    total: known.length === 0 ? null : known.reduce((sum, part) => sum + part, 0),
  };
}

/** What, how much, and a remark. */
type Line = readonly [what: string, figure: string, about?: string];

function lines(
  { questions, requests, tokens, optimiserSteps, time, disk, money }: Facts & { readonly money: Money },
  measured: number,
): Line[] {
  const steps = `${count(optimiserSteps)} optimiser steps`;
  return [
    [
      'requests',
      count(requests),
      `for answers about ${count(questions.train)} training and ${count(questions.heldOut)} held-out questions${measured > 0 ? `; more for the diversity of ${count(measured)} questions` : ''}`,
    ],
    ['tokens', count(tokens.read), 'read by models'],
    ['', count(tokens.written), 'written by models'],
    ['', count(tokens.trained), `read by fine-tunes, in ${steps}`],
    timeLine('time', time.answers, 'answers', '--tokens-per-second'),
    timeLine('', time.fineTunes, 'fine-tunes', '--training-tokens-per-second'),
    ['disk', sizeText(disk.debates), 'debates and rows'],
    [
      '',
      disk.models === null ? 'not known' : sizeText(disk.models.stay),
      disk.models === null
        ? 'models: the architecture is not known here'
        : `models that stay; at most ${sizeText(disk.models.most)} while it runs`,
    ],
    ...moneyLines(money),
  ];
}

function timeLine(what: string, part: Part, of: string, option: string): Line {
  return part === null
    ? [
        what,
        'not known',
        `${of}: no experiment of this store with these models shows it, and ${option} is not given`,
      ]
    : [what, part.seconds === 0 ? '0 s' : duration(part.seconds), `${of}, ${part.from}`];
}

function moneyLines({ total, hoursMissing, ...parts }: Money): Line[] {
  if (total === null && hoursMissing)
    return [['money', 'not known', 'hours of the machine have a price, and their number is not known']];
  if (total === null)
    return [
      ['money', 'not known', 'no price is given: --price-in, --price-out, --price-training, --price-hour'],
    ];
  const named = {
    read: 'tokens read',
    written: 'tokens written',
    trained: 'tokens of fine-tunes',
    hours: 'hours of the machine',
  };
  const known = Object.entries(named).flatMap(([key, words]) => {
    const part = parts[key as keyof typeof parts];
    return part === null ? [] : [`${words} ${part.toFixed(2)}`];
  });
  return [
    [
      'money',
      total.toFixed(2),
      `in the currency of the prices: ${known.join(', ')}${hoursMissing ? '; without the hours of the machine, of which the number is not known' : ''}`,
    ],
  ];
}
