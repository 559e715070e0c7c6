import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { changeHoldsFrom } from '../src/algorithm/steering.ts';
import { experimentFromConfig, studyFromConfig } from '../src/cli/arguments.ts';
import { programFor } from '../src/cli/run-cli.ts';
import { InvalidConfig } from '../src/config/faults.ts';
import { mergeConfig, settingsOf } from '../src/config/load.ts';
import { presets, resolveConfig } from '../src/config/resolve.ts';
import { projectRoot } from '../src/config/installation.ts';
import { studyPresets } from '../src/config/study.ts';
import { messageOf } from '../src/errors.ts';
import { type CommandLine, commandLinesIn, docPages, readPage } from './support/doc-pages.ts';

/** Nothing is run: the words are compared with what the commands declare, and settings with the schemas. */
describe('each command line of colloquy that the documentation shows', () => {
  // A setting's other name is reported on stderr.
  beforeAll(() => void vi.spyOn(console, 'error').mockImplementation(() => undefined));
  afterAll(() => void vi.restoreAllMocks());

  it.each(docPages)('in %s is one that the command line takes', (page) => {
    const faults = commandLinesIn(readPage(page)).flatMap((each) => {
      const fault = faultOf(each);
      return fault === undefined ? [] : [`${page}:${each.line}: ${each.text}\n    ${fault}`];
    });
    expect(faults.join('\n')).toBe('');
  });

  it.each([
    ['an unknown command', 'npx colloquy fly', 'no command fly'],
    ['an unknown option', 'colloquy run quickstart --fast', 'no option --fast'],
    ['a word too many', 'colloquy pause a b', 'takes no "b"'],
    ['an argument too few', 'colloquy set-iterations demo', 'lacks <iterations>'],
    ['an option without its value', 'colloquy worker --queues', '--queues lacks its value'],
    ['a value that is refused', 'colloquy worker --queues nothing', 'no queue "nothing"'],
    ['an unknown setting', 'colloquy run quickstart iteration=2', 'iteration'],
    ['an unknown setting of a file that is not there', 'colloquy run my.yaml task.size=2', 'task.size'],
    ['a setting that cannot be changed', 'colloquy change demo seed=3', 'seed cannot be changed'],
    ['a study that is not there', 'colloquy study lapto', 'no study lapto'],
  ])('may not have %s', (_, text, fault) => {
    const [found] = commandLinesIn(`\`\`\`sh\n${text}\n\`\`\`\n`);
    expect(found && faultOf(found)).toContain(fault);
  });
});

const program = await programFor();

/** What is wrong with a command line; undefined when nothing is. */
function faultOf({ words, inBlock }: CommandLine): string | undefined {
  let command: CommandUnknownOpts = program;
  let at = 0;
  while (at < words.length && command.commands.length > 0 && !words[at]?.startsWith('-')) {
    if (isPlaceholder(words[at] ?? '')) return undefined;
    const next = command.commands.find((each) => each.name() === words[at]);
    if (next === undefined) return `there is no command ${words[at]}`;
    command = next;
    at += 1;
  }
  const operands: string[] = [];
  for (; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (!/^--?\w/.test(word)) {
      operands.push(word);
      continue;
    }
    if (word === '--help' || word === '--version') continue;
    const [name, glued] = word.split('=', 2);
    const option = command.options.find(({ long, short }) => long === name || short === name);
    if (option === undefined) return `${command.name()} has no option ${name}`;
    if (!option.required) continue;
    const value = glued ?? words[(at += 1)];
    if (value === undefined) {
      if (inBlock) return `${name} lacks its value`;
      continue;
    }
    const refused = refusal(option.parseArg, value);
    if (refused !== undefined && !isPlaceholder(value)) return refused;
  }
  return (
    faultOfArguments(command, operands, inBlock) ??
    faultOfSettings(command, operands, words.includes('--study'))
  );
}

function faultOfArguments(
  command: CommandUnknownOpts,
  operands: readonly string[],
  inBlock: boolean,
): string | undefined {
  const wanted = command.registeredArguments;
  const rest = wanted.at(-1)?.variadic ? Infinity : wanted.length;
  if (operands.length > rest) return `${command.name()} takes no "${operands[rest]}"`;
  if (!inBlock) return undefined;
  const lacking = wanted.find(({ required }, at) => required && operands[at] === undefined);
  return lacking && `${command.name()} lacks <${lacking.name()}>`;
}

/** Words that stand for something of the reader's: NAME, N, my.yaml. */
function isPlaceholder(word: string): boolean {
  return /^[A-Z]+$/.test(word) || word.includes('…');
}

function refusal(parse: ((value: string, before: unknown) => unknown) | undefined, value: string) {
  try {
    parse?.(value, undefined);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Settings are laid over the config, or, where the reader has that file, over the quickstart. */
function faultOfSettings(
  command: CommandUnknownOpts,
  operands: readonly string[],
  ofStudy: boolean,
): string | undefined {
  const names = command.registeredArguments.map((each) => each.name());
  const first = names.findIndex((name) => ['overrides', 'settings', 'limits'].includes(name));
  if (first === -1) return undefined;
  const settings = operands.slice(first).filter((each) => !isPlaceholder(each));
  const config = names.includes('config') ? operands[names.indexOf('config')] : 'quickstart';
  // Within a sentence a command may be named alone.
  if (config === undefined || (settings.every((each) => each.endsWith('=null')) && !names.includes('config')))
    return undefined;
  const isStudy = ofStudy || command.name() === 'study';
  return refusal(() => {
    // null stands for no limit.
    if (command.name() === 'set-budget')
      resolveConfig({ budget: settingsOf(settings.filter((each) => !each.endsWith('=null'))) });
    else if (command.name() === 'change') checkChange(settings);
    else if (isStudy) {
      const there = studyPresets().some(({ name }) => name === config) || existsSync(config);
      if (!there && !config.endsWith('.yaml')) throw new Error(`there is no study ${config}`);
      checkStudy(there ? config : 'laptop', settings);
    } else {
      const there = presets().some(({ name }) => name === config) || existsSync(join(projectRoot, config));
      if (!there && !config.endsWith('.yaml') && !isPlaceholder(config))
        throw new Error(`there is no config ${config}`);
      experimentFromConfig(there ? config : 'quickstart', settings);
    }
  }, '');
}

const checkedStudies = new Set<string>();

/** Once for each command line: a study resolves the config of each of its experiments. */
function checkStudy(config: string, settings: readonly string[]): void {
  const key = [config, ...settings].join(' ');
  if (!checkedStudies.has(key)) studyFromConfig(config, settings);
  checkedStudies.add(key);
}

/** A change's value is checked where its experiment is known: only the names are checked here. */
function checkChange(settings: readonly string[]): void {
  for (const path of settings.map((each) => each.split('=')[0] ?? '')) {
    if (changeHoldsFrom(path, { iteration: 1, phase: 'debating' }) === null)
      throw new InvalidConfig([{ path, message: `${path} cannot be changed` }]);
  }
  resolveConfig(mergeConfig({ preset: 'quickstart' }, settingsOf(settings)));
}
