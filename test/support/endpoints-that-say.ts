import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import type { Endpoints } from '../../src/engines/endpoint/open.ts';
import { createRequestSlots } from '../../src/engines/waiting.ts';

/** Endpoints within this process: no HTTP, and every text is likely. For tests of what is done with texts of any length. */
export function endpointsThatSay(
  say: (request: Parameters<Endpoint['chat']>[1]) => string,
  slots = 16,
): Endpoints {
  const nothing = async (): Promise<void> => undefined;
  const endpoint: Endpoint = {
    serve: nothing,
    async chat(_model, request) {
      await new Promise(setImmediate);
      return { text: say(request), promptTokens: 9, completionTokens: 9, finishReason: 'stop' };
    },
    score: async (_model, { responses }) =>
      responses.map(({ length }) => ({ tokens: length, logprob: -length })),
    embed: async (texts) => texts.map(({ length }) => [length]),
    check: async () => null,
    examine: async () => [],
    tryAdapter: async () => [],
    unload: nothing,
    checkTraining: async () => true,
    servesForms: ['adapter', 'full'],
    resident: Infinity,
    residentWhole: Infinity,
    slots: createRequestSlots(slots),
    sharesDevice: async () => true,
    yieldDevice: nothing,
    takeDevice: nothing,
    close: nothing,
  };
  return {
    for: () => endpoint,
    of: async () => endpoint,
    takeTurns: () => false,
    expect: () => undefined,
    serve: nothing,
    yieldDevice: nothing,
    takeDevice: nothing,
    close: nothing,
  };
}
