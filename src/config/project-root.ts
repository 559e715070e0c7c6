import { fileURLToPath } from 'node:url';

/** The folder that holds package.json, `configs/` and `engine/`: absolute, without a slash at its end. */
export const projectRoot: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');
