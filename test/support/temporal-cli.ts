import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { tools } from '../../src/config/installation.ts';

/** Runs the `temporal` command against the server and namespace that the environment names, default: this process's; returns what it prints. */
export async function temporalCli(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const env = { ...process.env, ...environment };
  const { stdout } = await promisify(execFile)(tools().temporal, args, { maxBuffer: 64e6, env });
  return stdout;
}
