/** A real vLLM that the worker runs, with the embedded model. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveModel } from '../../src/engines/endpoint/base-model.ts';
import { createOwnVllmEndpoint } from '../../src/engines/endpoint/own-vllm.ts';
import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import { createLiveEngines } from '../../src/engines/process/live-engines.ts';
import type { ServingNeeds } from '../../src/engines/vllm/needs.ts';
import { createVllmProcess, type VllmProcess } from '../../src/engines/vllm/vllm-process.ts';
import { embeddedModel, modelFolder } from '../engines/fixtures/adapter.ts';

/** The vllm that the environment names, else the one that setup-vllm.mjs has installed. */
export const command =
  process.env['COLLOQUY_TEST_VLLM'] ??
  execFileSync(process.execPath, [fileURLToPath(new URL('../../scripts/setup-vllm.mjs', import.meta.url))], {
    encoding: 'utf8',
  })
    .trim()
    .split('\n')
    .at(-1) ??
  '';

export const needs: ServingNeeds = { adapters: 6, rank: 4, modules: ['q_proj', 'v_proj'], context: 1_024 };

export type RealVllm = {
  readonly vllm: VllmProcess;
  readonly endpoint: Endpoint;
  readonly logFolder: string;
};

/** Not started yet. */
export function realVllm(args: readonly string[] = [], model = embeddedModel): RealVllm {
  const logFolder = mkdtempSync(join(tmpdir(), 'colloquy-real-vllm-'));
  const vllm = createVllmProcess({
    model: resolveModel(model),
    servedModelName: model,
    logFolder,
    command,
    args,
  });
  vllm.expect('a test', needs);
  const endpoint = createOwnVllmEndpoint({ kind: 'vllm' }, model, vllm, modelFolder, createLiveEngines());
  return { vllm, endpoint, logFolder };
}
