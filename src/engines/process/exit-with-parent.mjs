/**
 * `node exit-with-parent.mjs COMMAND [ARGUMENT ...]` runs COMMAND for as long as standard input stays open.
 *
 * The process that starts this one holds the other end of that pipe. When it dies, however it dies, the kernel closes the
 * pipe and COMMAND is asked to leave (SIGTERM), then killed (SIGKILL, with everything in this process group, so start this
 * script as the leader of a group of its own). Ends as COMMAND did: with its exit code, or by its signal. The ways in are
 * `spawnWithParent` and `startProcessGroup`.
 */
import { spawn } from 'node:child_process';

const graceMs = Number(process.env.EXIT_WITH_PARENT_GRACE_MS ?? 5000);
const [command = '', ...args] = process.argv.slice(2);
let parentGone = false;

const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
child.on('error', (error) => {
  process.stderr.write(`${command}: ${error.message}\n`);
  process.exit(127);
});
child.on('exit', (code, signal) => {
  // The parent clears away what COMMAND leaves behind. Without a parent this script has to do it.
  if (parentGone) process.kill(-process.pid, 'SIGKILL');
  if (signal === null) process.exit(code ?? 1);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});

process.stdin.on('end', parentEnded).on('error', parentEnded).resume();
process.on('SIGTERM', leave).on('SIGINT', leave).on('SIGHUP', leave);

function parentEnded() {
  parentGone = true;
  leave();
}

let leaving = false;
function leave() {
  if (leaving) return;
  leaving = true;
  child.kill('SIGTERM');
  setTimeout(() => process.kill(-process.pid, 'SIGKILL'), graceMs).unref();
}
