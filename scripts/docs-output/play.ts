/** Runs the commands of a page, one after the other, as a person types them into a shell in a fresh clone. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Step } from './page.ts';

const longestMinutes = 30;

/**
 * Runs the steps in a fresh folder.
 *
 * @param project the clone whose files it gets: those of git, and those that git does not ignore
 * @param say gets a line about each step as it begins
 * @returns what each step printed on stdout and stderr, in order
 * @throws Error when a step ends with another exit code than its page says, or does not print what is waited for
 */
export async function play(
  steps: readonly Step[],
  project: string,
  say: (line: string) => void,
): Promise<string[]> {
  const above = mkdtempSync(join(tmpdir(), 'colloquy-page-'));
  const clone = join(above, 'colloquy');
  copyOfProject(project, clone);
  const place = { clone, variables: join(above, 'variables') };
  const running: Running[] = [];
  try {
    for (const step of steps) {
      say(`line ${step.line}: ${step.commands.split('\n')[0] ?? ''}`);
      const started = start(step, place);
      running.push(started);
      const text = step.until ?? step.kill;
      if (text === undefined) await ended(started, step);
      else await printedText(started, step, text);
      if (step.kill !== undefined) await kill(started);
    }
    return running.map(({ output }) => withoutFolder(output(), above));
  } finally {
    // As with Ctrl-C in each of the other terminals, the newest first.
    for (const each of running.toReversed()) await interrupt(each);
    rmSync(above, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What a person would see in place of the folder for trials. */
function withoutFolder(text: string, above: string): string {
  return text.replaceAll(join(above, 'colloquy'), '/home/me/colloquy').replaceAll(above, '/home/me');
}

/** The project's files without what it has made, as in a fresh clone; the packages are linked, because installing them takes a minute. */
function copyOfProject(project: string, clone: string): void {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: project,
    encoding: 'utf8',
  });
  for (const file of files.split('\0').filter((name) => name !== '')) {
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    cpSync(join(project, file), join(clone, file), { verbatimSymlinks: true });
  }
  for (const same of ['node_modules', '.tools.json']) symlinkSync(join(project, same), join(clone, same));
}

type Place = { readonly clone: string; readonly variables: string };
type Running = {
  readonly child: ChildProcess;
  readonly closed: Promise<unknown>;
  readonly output: () => string;
};

function start({ commands }: Step, { clone, variables }: Place): Running {
  // What one step exports, the next one has.
  const script = `if [ -f '${variables}' ]; then . '${variables}'; fi\nset -e\n${commands}\nexport -p > '${variables}'\n`;
  const child = spawn('bash', ['-c', script], {
    cwd: clone,
    // A process group of its own, which can be killed as a whole.
    detached: true,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return { child, closed: once(child, 'close'), output: () => output };
}

/** As a person's shell has it: without what npm, git and this project's own runs set. */
function environment(): NodeJS.ProcessEnv {
  const own = /^(?:npm_|COLLOQUY_|TEMPORAL_|AWS_|VITEST|NODE_ENV$|GIT_|CI$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}

async function ended({ child, closed, output }: Running, { line, exit }: Step): Promise<void> {
  const timer = new AbortController();
  const late = sleep(longestMinutes * 60_000, 'late', { signal: timer.signal, ref: false }).catch(
    () => 'over',
  );
  if ((await Promise.race([closed, late])) === 'late')
    throw new Error(`line ${line}: not at its end after ${longestMinutes} minutes:\n${output()}`);
  timer.abort();
  if (child.exitCode !== exit)
    throw new Error(`line ${line}: ended with ${child.exitCode}, not ${exit}:\n${output()}`);
}

async function printedText({ child, output }: Running, { line }: Step, text: string): Promise<void> {
  const until = Date.now() + longestMinutes * 60_000;
  while (!output().includes(text)) {
    if (child.exitCode !== null || Date.now() > until)
      throw new Error(`line ${line}: has not printed "${text}":\n${output()}`);
    await sleep(100);
  }
}

async function kill({ child, closed }: Running): Promise<void> {
  signal(child, 'SIGKILL');
  await closed;
}

async function interrupt({ child, closed }: Running): Promise<void> {
  signal(child, 'SIGINT');
  if ((await Promise.race([closed, sleep(60_000, 'late', { ref: false })])) !== 'late') return;
  signal(child, 'SIGKILL');
  await closed;
}

function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // The group has ended.
  }
}
