#!/usr/bin/env node
/** Starts the command line: TypeScript as it is, in this process, so that signals and exit codes need no passing on. */
import { register } from 'tsx/esm/api';

register();
await import(new URL('../src/cli/main.ts', import.meta.url).href);
