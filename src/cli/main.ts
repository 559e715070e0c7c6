/** The program `colloquy`. Everything is in runCli, so that tests can call it. */
import { runCli } from './run-cli.ts';

// The reader has closed the pipe (`colloquy show … | head`), which is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const code = await runCli(process.argv.slice(2));
// What a failed command has left open (Temporal's native core is not closed by an error) must not keep the process alive.
process.stdout.write('', () => process.exit(code));
