import { stringify } from 'yaml';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { InvalidConfig } from '../../config/faults.ts';
import { expectedFineTunes, trainingFaults } from '../../config/training-plan.ts';
import { experimentFromConfig, studyFromConfig } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { printJson } from '../terminal.ts';

/** `colloquy validate CONFIG [key=value ...]` */
export const validate = command('validate', 'check a config and print it with every setting filled in', [
  'colloquy validate configs/quickstart.yaml',
  'colloquy validate configs/quickstart.yaml iterations=5 task.train_size=200',
  'colloquy validate --study laptop seeds=[0,1,2]     # a study, and each of its experiments',
])
  .argument('<config>', 'a YAML or JSON file, or the name of one in configs')
  .argument('[overrides...]', 'settings to change, as key=value')
  .option('--study', 'it is the config of a study')
  .addOption(jsonOption)
  .action((path, overrides, { study, json }) => {
    if (study) return validateStudy(path, overrides, json);
    const { name, config } = experimentFromConfig(path, overrides);
    requireTrainable(config);
    const fineTunes = expectedFineTunes(config, config.task.train_size ?? null);
    if (json) return printJson({ name, config, fineTunes });
    console.log(`# experiment: ${name}\n${stringify(config).trimEnd()}`);
    for (const { role, rows, steps } of fineTunes)
      console.log(
        `# expected in an iteration: a ${role} model learns from about ${rows} rows in ${steps} optimiser steps`,
      );
  });

/** @throws InvalidConfig when its models could not learn as it says */
function requireTrainable(config: ExperimentConfig): void {
  const faults = trainingFaults(config, config.task.train_size ?? null);
  if (faults.length > 0) throw new InvalidConfig(faults);
}

function validateStudy(path: string, overrides: readonly string[], json: true | undefined): void {
  const { name, study } = studyFromConfig(path, overrides);
  const experiments = study.cells.map(({ name: experiment, config }) => ({ name: experiment, config }));
  for (const { config } of experiments) requireTrainable(config);
  if (json) return printJson({ name, parallel: study.parallel, experiments });
  console.log(`# study: ${name}, ${experiments.length} experiments, ${study.parallel} at once`);
  for (const each of experiments)
    console.log(`---\n# experiment: ${each.name}\n${stringify(each.config).trimEnd()}`);
}
