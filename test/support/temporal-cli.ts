import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { tools } from '../../src/config/tools.ts';

/** Runs the `temporal` command against the server and namespace that this process's environment names; gives what it prints. */
export async function temporalCli(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(tools().temporal, args, { maxBuffer: 64e6 });
  return stdout;
}
