import type { ArgsDef } from 'citty';
import { closest } from 'fastest-levenshtein';
import type { Command } from './command.ts';
import { UsageError } from './usage-error.ts';

/**
 * What citty lets pass: options that the command does not have, options without their value, and words too many.
 *
 * @throws UsageError naming the nearest option there is
 */
export function checkArguments({ name, definition, takesMore }: Command, rawArgs: readonly string[]): void {
  // Commands are made by command(), with their arguments as a plain object.
  const args = (definition.args ?? {}) as ArgsDef;
  const options = Object.entries(args).filter(([, arg]) => arg.type !== 'positional');
  const positionals = Object.keys(args).length - options.length;
  const words: string[] = [];
  for (let index = 0; index < rawArgs.length; index++) {
    const word = rawArgs[index] ?? '';
    if (word === '--') {
      words.push(...rawArgs.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      words.push(word);
      continue;
    }
    const [flag = '', value] = word.replace(/^--?/, '').split(/=(.*)/s);
    const found = options.find(
      ([option, arg]) => option === flag || (arg.type === 'boolean' && `no-${option}` === flag),
    );
    if (found === undefined)
      throw unknownOption(
        word,
        name,
        options.map(([option]) => option),
      );
    if (found[1].type === 'boolean' || value !== undefined) continue;
    index += 1;
    if (rawArgs[index] === undefined) throw new UsageError(`--${flag} needs a value.`, name);
  }
  if (words.length > positionals && !takesMore) {
    throw new UsageError(`"${words[positionals]}" is one argument too many.`, name);
  }
}

function unknownOption(word: string, command: string, options: readonly string[]): UsageError {
  const known = [...options, 'help'];
  return new UsageError(
    `${command} has no option ${word}. Did you mean --${closest(word.replace(/^-+/, ''), known)}?`,
    command,
  );
}
