import { Argument, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { presets } from '../../config/resolve.ts';
import { studyPresets } from '../../config/study.ts';
import { namesInStore, openStore } from '../../store/store.ts';
import { command } from '../command.ts';

const scripts = {
  bash: [
    '_colloquy() {',
    "  local IFS=$'\\n'",
    '  COMPREPLY=($(colloquy completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))',
    '}',
    'complete -o default -F _colloquy colloquy',
  ],
  zsh: [
    '#compdef colloquy',
    '_colloquy() {',
    '  local -a found',
    '  found=("${(@f)$(colloquy completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")',
    '  if [[ -n "$found" ]]; then compadd -a found; else _files; fi',
    '}',
    'compdef _colloquy colloquy',
  ],
  fish: [
    "complete -c colloquy -a '(colloquy completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'",
  ],
} as const;

/** `colloquy completion SHELL` */
export const completion = command(
  'completion',
  'print a script that completes commands, options and names in a shell',
  [
    'source <(colloquy completion bash)               # in ~/.bashrc',
    'source <(colloquy completion zsh)                # in ~/.zshrc, after compinit',
    'colloquy completion fish | source                # in ~/.config/fish/config.fish',
  ],
)
  .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish', 'words']))
  .argument('[words...]', 'for `words`: the words of the command line; the last one is completed')
  .action(async (shell, words, _, self) => {
    if (shell !== 'words') return console.log(scripts[shell].join('\n'));
    const { parent } = self;
    if (parent === null) return undefined;
    const experiments = await namesInStore(openStore());
    for (const each of candidates(parent, words, experiments)) console.log(each);
    return undefined;
  });

/**
 * What the last word of a command line may become: commands, options, or the names that its command takes.
 *
 * @param words without the program's own name; the last one is being typed and may be empty
 * @param experiments the names in the store
 */
export function candidates(
  program: CommandUnknownOpts,
  words: readonly string[],
  experiments: readonly string[],
): string[] {
  const typed = words.at(-1) ?? '';
  let current = program;
  for (const word of words.slice(0, -1))
    current = current.commands.find((each) => each.name() === word) ?? current;
  const all = typed.startsWith('-')
    ? [...current.options.flatMap(({ long }) => long ?? []), '--help']
    : current.commands.length > 0
      ? current.commands.map((each) => each.name())
      : namesFor(current, experiments);
  return all.filter((each) => each.startsWith(typed)).toSorted();
}

function namesFor(current: CommandUnknownOpts, experiments: readonly string[]): string[] {
  switch (current.registeredArguments[0]?.name()) {
    case 'config':
      return (current.name() === 'study' ? studyPresets() : presets()).map(({ name }) => name);
    case 'name':
    case 'a':
      return [...experiments];
    case 'shell':
      return ['bash', 'zsh', 'fish'];
    default:
      return [];
  }
}
