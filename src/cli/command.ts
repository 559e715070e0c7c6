import { type ArgsDef, type CommandDef, defineCommand, type ParsedArgs } from 'citty';
import type { ExitCode } from './exit-codes.ts';

/** A command of the CLI: citty's, with examples and an exit code. */
export type Command = {
  readonly name: string;
  readonly description: string;
  /** Whole command lines, with a comment where one helps. */
  readonly examples: readonly string[];
  /** More positional arguments than the named ones are welcome (`key=value ...`). */
  readonly takesMore: boolean;
  // oxlint-disable-next-line typescript/no-explicit-any -- citty's own type for commands of differing arguments
  readonly definition: CommandDef<any>;
};

/** A command with its arguments' types known to `run`. What `run` returns is the exit code. */
export function command<const Args extends ArgsDef>(options: {
  name: string;
  description: string;
  examples: readonly string[];
  args: Args;
  takesMore?: boolean;
  run: (args: ParsedArgs<Args>) => Promise<ExitCode> | ExitCode;
}): Command {
  const { name, description, examples, args, takesMore = false, run } = options;
  const definition = defineCommand<Args>({
    meta: { name, description },
    args,
    run: (context) => run(context.args),
  });
  return { name, description, examples, takesMore, definition };
}

/** `--json`, which every command with output has. */
export const jsonFlag = {
  json: { type: 'boolean', description: 'print JSON on stdout, for programs', default: false },
} as const satisfies ArgsDef;

/** The experiment a command is about. */
export const nameArgument = {
  name: { type: 'positional', description: "the experiment's name", required: true },
} as const satisfies ArgsDef;
