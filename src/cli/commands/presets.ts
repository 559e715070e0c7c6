import { presets as allPresets } from '../../config/presets.ts';
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
    const all = allPresets();
    if (json) printJson(all);
    else {
      const { bold, dim } = colours();
      for (const { name, description, path } of all) {
        console.log(`${bold(name)}  ${dim(shortPath(path))}\n  ${description}`);
      }
    }
    return exitCodes.ok;
  },
});
