/** Sets up the tools that a command needs and that are missing, by the program that sets up a clone too. */
import { join } from 'node:path';
import {
  colloquy,
  isClone,
  projectRoot,
  type Tools,
  tools,
  ToolsMissing,
} from '../../config/installation.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { spawnWithParent } from '../../workers/dev-server-process.ts';

/**
 * Sets up those of the tools that are missing, with the progress on stderr. In a clone it does nothing, because there the set-up may install
 * the npm packages too, from which this process runs.
 *
 * @throws SetUpFailed
 */
export async function requireTools(...names: readonly (keyof Tools)[]): Promise<void> {
  const missing = isClone ? [] : names.filter(isMissing);
  if (missing.length > 0) await runSetUp('setup.mjs', missing);
}

function isMissing(name: keyof Tools): boolean {
  try {
    return tools()[name] === '';
  } catch (error) {
    if (error instanceof ToolsMissing) return true;
    throw error;
  }
}

/**
 * Runs one of the programs in `scripts` that set something up. It ends with this process, however that ends.
 *
 * @throws SetUpFailed
 */
export async function runSetUp(script: string, args: readonly string[] = []): Promise<void> {
  const program = join(projectRoot, 'scripts', script);
  // stdout is for results.
  const { exited } = spawnWithParent(process.execPath, [program, ...args], { stdout: 2, stderr: 2 });
  if ((await exited) !== 0) throw new SetUpFailed();
}

/** What the set-up said stands above this message. */
export class SetUpFailed extends ColloquyError {
  override name = 'SetUpFailed' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor() {
    super(
      `The set-up did not come to its end: the reason stands above. What is done stays done. Again: ${colloquy} setup`,
    );
  }
}
