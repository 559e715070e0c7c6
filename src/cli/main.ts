/** The program `colloquy`: everything is in runCli, which tests call too. */
import { runCli } from './run-cli.ts';

// Nobody reads any more (`colloquy show … | head`): that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2));
