import { command } from '../command.ts';
import { runSetUp } from '../server/local-server.ts';

/** `colloquy setup` */
export const setup = command('setup', [
  'colloquy setup            # does nothing when nothing is missing',
  'colloquy setup --qlora    # also bitsandbytes, which fine_tune.method: qlora needs',
  'Commands that need them set up what is missing. Everything is kept in ~/.cache/colloquy, or $XDG_CACHE_HOME/colloquy.',
])
  .option('--qlora', 'also install what base models in 4 bits need')
  .action(async ({ qlora }) => {
    await runSetUp('setup.mjs');
    if (qlora) await runSetUp('setup-qlora.mjs');
  });
