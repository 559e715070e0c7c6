import { openStore } from '../../store/open-store.ts';
import { command, jsonFlag, nameArgument } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { experimentName } from '../experiment-argument.ts';
import { printJson } from '../print-json.ts';
import { shortPath } from '../tell-ending.ts';

/** `colloquy report NAME` */
export const report = command({
  name: 'report',
  description: "write a finished experiment's report.html anew",
  examples: ['colloquy report quickstart'],
  args: { ...nameArgument, ...jsonFlag },
  run: async ({ name, json }) => {
    // Imported when needed: it brings Vega, which no other command should wait for.
    const { writeReport } = await import('../../report/write-report.ts');
    const path = await writeReport(openStore().experiment(experimentName(name)));
    if (json) printJson({ report: path });
    else console.log(shortPath(path));
    return exitCodes.ok;
  },
});
