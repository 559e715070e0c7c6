/** Where is the Hugging Face hub, who asks it, and what does it mean when it refuses? As Hugging Face's own tools have it. */
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileBlobs } from './blobs-file.ts';

/** The hub's address, or that of a mirror (HF_ENDPOINT), without a slash at its end. */
export function hubUrl(): string {
  return process.env['HF_ENDPOINT']?.replace(/\/+$/, '') || 'https://huggingface.co';
}

/** Whether the hub must not be asked (HF_HUB_OFFLINE). */
export function isOffline(): boolean {
  return isOn(process.env['HF_HUB_OFFLINE']);
}

/** Whether large files go by plain LFS, as some mirrors and proxies need it (HF_HUB_DISABLE_XET). */
export function withoutXet(): boolean {
  return isOn(process.env['HF_HUB_DISABLE_XET']);
}

function isOn(variable: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes(variable?.toUpperCase() ?? '');
}

/** A token, and where it was found. Only the hub ever gets the token itself: no message and no file has it. */
export type HubToken = { readonly token: string; readonly from: string };

/** The token of HF_TOKEN, or of the file that `hf auth login` writes; null when there is none. */
export async function hubToken(): Promise<HubToken | null> {
  for (const variable of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    const token = process.env[variable]?.trim();
    if (token) return { token, from: variable };
  }
  const path = tokenFile();
  const text = await fileBlobs(dirname(path))
    .get(basename(path))
    .catch(() => null);
  const token = text?.toString('utf8').trim();
  return token ? { token, from: path } : null;
}

/** Where `hf auth login` keeps the token. */
export function tokenFile(): string {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const home = process.env['HF_HOME'] || join(cache, 'huggingface');
  return process.env['HF_TOKEN_PATH'] || join(home, 'token');
}

/** What the hub said when it refused. */
export type HubRefusal = {
  readonly status: number;
  /** The hub's own name for it, e.g. `GatedRepo` or `RepoNotFound`; null when it gave none. */
  readonly code: string | null;
  readonly words: string;
};

/** A fetch that remembers how the hub named its last refusal: the library's errors do not have it. */
export function watchedFetch(signal?: AbortSignal): {
  readonly fetch: typeof fetch;
  readonly refusal: (error: unknown) => HubRefusal | null;
} {
  let code: string | null = null;
  return {
    fetch: async (input, init) => {
      const response = await fetch(input, signal === undefined ? init : { ...init, signal });
      if (!response.ok) code = response.headers.get('X-Error-Code');
      return response;
    },
    refusal: (error) => {
      if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number')
        return null;
      return { status: error.statusCode, code, words: wordsOf(error) };
    },
  };
}

/** The hub's own words: the library adds the address and the number of the request to them. */
function wordsOf({ message }: Error): string {
  const words = message.replace(/\.? URL: .*$/s, '').trim();
  return words.length > longestWords ? `${words.slice(0, longestWords)}…` : words;
}

const longestWords = 500;

/** Node's fetch says only "fetch failed", and the store that it could not write: what failed stands in the cause. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}
