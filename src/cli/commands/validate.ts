import { stringify } from 'yaml';
import { command, jsonFlag } from '../command.ts';
import { experimentFromConfig } from '../experiment-argument.ts';
import { studyFromConfig } from '../study-argument.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { printJson } from '../print-json.ts';

/** `colloquy validate CONFIG [key=value ...]` */
export const validate = command({
  name: 'validate',
  description: 'check a config and print it with every setting filled in',
  examples: [
    'colloquy validate configs/quickstart.yaml',
    'colloquy validate configs/quickstart.yaml iterations=5 task.train_size=100',
    'colloquy validate --study laptop seeds=[0,1,2]     # a study, and each of its experiments',
  ],
  args: {
    config: { type: 'positional', description: 'a YAML or JSON file, then key=value ...', required: true },
    study: { type: 'boolean', description: 'it is the config of a study', default: false },
    ...jsonFlag,
  },
  takesMore: true,
  run: ({ _: words, study, json }) => {
    if (study) return validateStudy(words, json);
    const { name, config } = experimentFromConfig(words);
    if (json) printJson({ name, config });
    else console.log(`# experiment: ${name}\n${stringify(config).trimEnd()}`);
    return exitCodes.ok;
  },
});

function validateStudy(words: readonly string[], json: boolean): ExitCode {
  const { name, study } = studyFromConfig(words);
  const experiments = study.cells.map(({ name: experiment, config }) => ({ name: experiment, config }));
  if (json) printJson({ name, parallel: study.parallel, experiments });
  else {
    console.log(`# study: ${name}, ${experiments.length} experiments, ${study.parallel} at once`);
    for (const each of experiments)
      console.log(`---\n# experiment: ${each.name}\n${stringify(each.config).trimEnd()}`);
  }
  return exitCodes.ok;
}
