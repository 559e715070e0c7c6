/**
 * Who decides how a model samples? The experiment alone. A server fills what a request leaves out from the model's own
 * generation_config.json (vLLM) or from its own defaults (llama.cpp: top_k 40, min_p 0.05), so every request states all of it.
 */
import { EngineRefused } from '../errors.ts';

/** What changes no probability, in the names of vLLM, SGLang and llama.cpp. OpenAI's own service knows the penalties alone. */
const neutral = {
  top_k: -1,
  min_p: 0,
  repetition_penalty: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
} as const;
type Setting = keyof typeof neutral;
const settings: readonly Setting[] = [
  'top_k',
  'min_p',
  'repetition_penalty',
  'presence_penalty',
  'frequency_penalty',
];

export interface CompleteSampling {
  /** Sends `body` with all settings of sampling, or with those that the server does not refuse. Its own settings stay as they are. */
  complete<Answer>(body: object, send: (whole: object) => Promise<Answer>): Promise<Answer>;
  /** The settings that the server has refused so far. */
  refused(): readonly string[];
}

/** For one server, which may refuse settings that it does not know. */
export function createCompleteSampling(): CompleteSampling {
  const refused = new Set<Setting>();

  return {
    async complete(body, send) {
      for (;;) {
        const sent = settings.filter((setting) => !refused.has(setting));
        const stated = Object.fromEntries(sent.map((setting) => [setting, neutral[setting]]));
        try {
          return await send({ ...stated, ...body });
        } catch (error) {
          const unknown = error instanceof EngineRefused ? refusedSettings(error, sent) : [];
          if (unknown.length === 0) throw error;
          for (const setting of unknown) refused.add(setting);
        }
      }
    },
    refused: () => [...refused],
  };
}

/** Which of the settings that were sent a refusal is about; none when it is about something else. */
function refusedSettings({ status, words }: EngineRefused, sent: readonly Setting[]): readonly Setting[] {
  if (status !== 400 && status !== 422) return [];
  const named = sent.filter((setting) => new RegExp(`\\b${setting}\\b`, 'i').test(words));
  if (named.length > 0) return named;
  const unknownField =
    /(unrecogni[sz]ed|unknown|unsupported|unexpected|additional|extra)\b.*\b(argument|parameter|field|propert|input|key)/i;
  return unknownField.test(words) ? sent : [];
}
