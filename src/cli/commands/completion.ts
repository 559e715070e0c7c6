import { Argument } from '@commander-js/extra-typings';
import { command } from '../command.ts';

// Each line that they get is a word, then a tab and what it means where there is something to say.
const scripts = {
  bash: [
    '_colloquy() {',
    '  local line',
    '  COMPREPLY=()',
    '  while IFS= read -r line; do',
    `    COMPREPLY+=("\${line%%$'\\t'*}")`,
    '  done < <(colloquy completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)',
    '  # A setting is followed by its value, without a space.',
    '  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi',
    '}',
    'complete -o default -F _colloquy colloquy',
  ],
  zsh: [
    '#compdef colloquy',
    '_colloquy() {',
    '  local line',
    '  local -a whole open',
    '  for line in "${(@f)$(colloquy completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do',
    `    if [[ \${line%%$'\\t'*} == *= ]]; then open+=("\${line/$'\\t'/:}"); elif [[ -n $line ]]; then whole+=("\${line/$'\\t'/:}"); fi`,
    '  done',
    '  (( $#whole + $#open )) || { _files; return; }',
    "  (( $#whole )) && _describe 'word' whole",
    "  (( $#open )) && _describe 'setting' open -S ''",
    '  return 0',
    '}',
    'compdef _colloquy colloquy',
  ],
  fish: [
    "complete -c colloquy -a '(colloquy completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'",
  ],
} as const;

/** `colloquy completion SHELL` */
export const completion = command('completion', [
  'source <(colloquy completion bash)               # in ~/.bashrc',
  'source <(colloquy completion zsh)                # in ~/.zshrc, after compinit',
  'colloquy completion fish | source                # in ~/.config/fish/config.fish',
])
  .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish', 'words']))
  .argument('[words...]', 'for `words`: the words of the command line; the last one is completed')
  .action(async (shell, words, _, self) => {
    if (shell !== 'words') return console.log(scripts[shell].join('\n'));
    const { parent } = self;
    if (parent === null) return undefined;
    // Imported only here: it loads all schemas of configs, which a script does not need.
    const { candidates, namesIn } = await import('../arguments.ts');
    const { openStore } = await import('../../store/store.ts');
    for (const { word, means } of candidates(parent, words, await namesIn(openStore())))
      console.log(means === undefined ? word : `${word}\t${means}`);
    return undefined;
  });
