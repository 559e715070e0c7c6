import { stripVTControlCharacters } from 'node:util';
import { renderUsage } from 'citty';
import { colours, wantsColours } from './colours.ts';
import type { Command } from './command.ts';

/** The help of one command, with its examples. */
export async function commandHelp({ definition, examples }: Command): Promise<string> {
  // citty looks at the environment only, not at whether this is a terminal.
  const usage = await renderUsage(definition, { meta: { name: 'colloquy' } });
  const shown = wantsColours() ? usage : stripVTControlCharacters(usage);
  return [
    shown.trimEnd(),
    '',
    heading('EXAMPLES'),
    '',
    ...examples.map((example) => `  ${example}`),
    '',
  ].join('\n');
}

/** The help of the whole program: commands, exit codes, environment. */
export function mainHelp(commands: readonly Command[]): string {
  const { bold, cyan } = colours();
  const width = Math.max(...commands.map(({ name }) => name.length));
  const list = commands.map(({ name, description }) => `  ${cyan(name.padEnd(width))}  ${description}`);
  return [
    `${bold('colloquy')}: language models that improve by debating, as a durable Temporal pipeline`,
    '',
    `${heading('USAGE')}  colloquy COMMAND [ARGUMENTS] [OPTIONS]`,
    '',
    heading('COMMANDS'),
    '',
    ...list,
    '',
    "  colloquy COMMAND --help shows a command's arguments, options and examples.",
    '',
    heading('EXIT CODES'),
    '',
    '  0  done                                  3  the experiment waits for a person (retry or abort)',
    '  1  failed                                4  Temporal is not reachable',
    '  2  the command line or the config is wrong  130  left with Ctrl-C',
    '',
    heading('ENVIRONMENT'),
    '',
    '  TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_PROFILE, ...  as for the temporal CLI',
    '  COLLOQUY_STORE      where experiments are kept (default: runs/ in the project)',
    '  COLLOQUY_ENDPOINTS  what answers: a file of endpoints (default: configs/endpoints.yaml)',
    '  COLLOQUY_TRAINERS   what fine-tunes: a file of trainers (default: configs/trainers.yaml)',
    '  NO_COLOR            no colours',
    '',
  ].join('\n');
}

function heading(text: string): string {
  const { bold, underline } = colours();
  return underline(bold(text));
}
