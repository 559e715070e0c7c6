/** The contract of every kind of endpoint, on a real vLLM that the worker runs. */
import { createChatClient } from '../../src/engines/endpoint/chat-client.ts';
import { endpointContract } from '../engines/endpoint.contract.ts';
import { realVllm } from './real-vllm.ts';

const { vllm, endpoint } = realVllm();

endpointContract({
  kind: 'vllm that the worker runs',
  open: async () => endpoint,
  adapters: true,
  sharesDevice: true,
  startMs: 1_800_000,
  // Differences of 1e-5 were seen: it sums up in float32.
  decimals: 4,
  async forgetAdapter(name) {
    const { signal } = new AbortController();
    const client = createChatClient({ url: (await vllm.ready(signal)).url });
    await client.unloadAdapter(name, signal);
    client.close();
  },
});
