import { stringify } from 'yaml';
import { command, jsonFlag } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { experimentFromConfig } from '../experiment-argument.ts';
import { printJson } from '../print-json.ts';

/** `colloquy validate CONFIG [key=value ...]` */
export const validate = command({
  name: 'validate',
  description: 'check a config and print it with every setting filled in',
  examples: [
    'colloquy validate configs/quickstart.yaml',
    'colloquy validate configs/quickstart.yaml iterations=5 task.train_size=100',
  ],
  args: {
    config: { type: 'positional', description: 'a YAML or JSON file, then key=value ...', required: true },
    ...jsonFlag,
  },
  takesMore: true,
  run: ({ _: words, json }) => {
    const { name, config } = experimentFromConfig(words);
    if (json) printJson({ name, config });
    else console.log(`# experiment: ${name}\n${stringify(config).trimEnd()}`);
    return exitCodes.ok;
  },
});
