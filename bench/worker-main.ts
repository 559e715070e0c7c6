/** Colloquy's worker in a process of its own, watching itself: `worker-main.ts STORE ENGINE_URL CONCURRENCY`. See worker.ts. */
import { writeFile } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { fileURLToPath } from 'node:url';
import type { ChatRequest } from '../src/config/server-contract.ts';
import type { Endpoint } from '../src/engines/endpoint/endpoint.ts';
import { createEndpoints } from '../src/engines/endpoint/open.ts';
import { createGpuGate } from '../src/engines/gpu-gate.ts';
import { createTrainers } from '../src/engines/trainer/open.ts';
import { openStore } from '../src/store/store.ts';
import { createTasks } from '../src/questions/open-task.ts';
import { startWorkers } from '../src/workers/start.ts';
import { serve } from './child.ts';
import type { Sample } from './worker.ts';

const [storeRoot = '', url = '', concurrency = ''] = process.argv.slice(2);
const store = openStore(storeRoot);
const endpoints = createEndpoints(
  { bench: { kind: 'vllm', url, max_concurrency: Number(concurrency) } },
  { logFolder: store.logs, modelFolder: (key) => store.blobs.localCopy(store.model(key).name) },
);
const gate = createGpuGate();
const instantTrainer = fileURLToPath(new URL('../test/support/instant-trainer.mjs', import.meta.url));
const trainers = createTrainers(
  { local: { kind: 'process' } },
  { store, gate, process: { command: [process.execPath, instantTrainer] } },
);
const tasks = createTasks();

let requests: Omit<ChatRequest, 'model'>[] | undefined;
const recording = (endpoint: Endpoint): Endpoint => ({
  ...endpoint,
  chat: async (model, request, ...others) => {
    requests?.push(request);
    return endpoint.chat(model, request, ...others);
  },
});

const samples: Sample[] = [];
setInterval(() => {
  const { user, system } = process.cpuUsage();
  samples.push({ at: Date.now(), cpuMs: (user + system) / 1000, rss: process.memoryUsage.rss() });
}, 50);

const profiler = new Session();
const stop = new AbortController();
const workers = startWorkers({
  signal: stop.signal,
  dependencies: {
    store,
    endpoints: {
      ...endpoints,
      of: async (model) => recording(await endpoints.of(model)),
    },
    trainers,
    fineTunesAtOnce: async () => 1,
    tasks,
    gate,
    searchAttributes: false,
    close: async () => {
      await Promise.allSettled([endpoints.close(), trainers.close(), tasks.close()]);
    },
  },
  onReady: () =>
    serve(
      {
        samples: () => samples.splice(0),
        record: () => {
          requests = [];
        },
        requests: async (path) => {
          await writeFile(String(path), JSON.stringify(requests));
          requests = undefined;
        },
        profile: async () => {
          profiler.connect();
          await profiler.post('Profiler.enable');
          const began = Date.now();
          await profiler.post('Profiler.start');
          return began;
        },
        profiled: async (path) => {
          const { profile } = await profiler.post('Profiler.stop');
          profiler.disconnect();
          await writeFile(String(path), JSON.stringify(profile));
        },
      },
      async () => {
        stop.abort();
        await workers;
      },
    ),
});
await workers;
