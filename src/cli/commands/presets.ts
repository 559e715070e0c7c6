import { type Preset, presets as experimentPresets } from '../../config/resolve.ts';
import { studyPresets } from '../../config/study.ts';
import { command, jsonOption } from '../command.ts';
import { colours, printJson, shortPath } from '../terminal.ts';

/** `colloquy presets` */
export const presets = command('presets', 'list the configs that come with Colloquy', [
  'colloquy presets',
  `temporal workflow start ... --input '{"preset": "quickstart"}'`,
])
  .addOption(jsonOption)
  .action(({ json }) => {
    const [experiments, studies] = [experimentPresets(), studyPresets()];
    if (json)
      return printJson([
        ...experiments.map((each) => ({ ...each, kind: 'experiment' })),
        ...studies.map((each) => ({ ...each, kind: 'study' })),
      ]);
    printPresets(experiments);
    console.log('\nStudies (colloquy study NAME):');
    printPresets(studies);
  });

function printPresets(presets: readonly Preset[]): void {
  const { bold, dim } = colours();
  for (const { name, description, path } of presets)
    console.log(`${bold(name)}  ${dim(shortPath(path))}\n  ${description}`);
}
