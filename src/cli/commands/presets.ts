import { type Preset, presets as allPresets } from '../../config/resolve.ts';
import { studyPresets } from '../../config/study.ts';
import { colours } from '../colours.ts';
import { command, jsonFlag } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { printJson } from '../print-json.ts';
import { shortPath } from '../tell-ending.ts';

/** `colloquy presets` */
export const presets = command({
  name: 'presets',
  description: 'list the configs that come with Colloquy',
  examples: ['colloquy presets', `temporal workflow start ... --input '{"preset": "quickstart"}'`],
  args: jsonFlag,
  run: ({ json }) => {
    const [all, studies] = [allPresets(), studyPresets()];
    if (json)
      printJson([
        ...all.map((each) => ({ ...each, kind: 'experiment' })),
        ...studies.map((each) => ({ ...each, kind: 'study' })),
      ]);
    else {
      const { bold, dim } = colours();
      const tell = (each: readonly Preset[]): void => {
        for (const { name, description, path } of each)
          console.log(`${bold(name)}  ${dim(shortPath(path))}\n  ${description}`);
      };
      tell(all);
      console.log('\nStudies (colloquy study NAME):');
      tell(studies);
    }
    return exitCodes.ok;
  },
});
