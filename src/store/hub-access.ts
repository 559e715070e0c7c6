/** Where is the Hugging Face hub, who asks it, and what does it mean when it refuses? As Hugging Face's own tools have it. */
import type * as HubLibrary from '@huggingface/hub';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ColloquyError, exitCodes } from '../errors.ts';
import { terminalSafe } from '../text/safe-text.ts';
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

/** Whether a token can be one of the hub. Any other, e.g. one of two lines, would be printed in the error of the request that sends it. */
export function isHubToken(token: string): boolean {
  return /^hf_[\x21-\x7e]*$/.test(token);
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
export function watchedFetch(
  signal?: AbortSignal,
  via: typeof fetch = fetch,
): {
  readonly fetch: typeof fetch;
  readonly refusal: (error: unknown) => HubRefusal | null;
} {
  let code: string | null = null;
  return {
    fetch: async (input, init) => {
      const response = await via(input, signal === undefined ? init : { ...init, signal });
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

/**
 * A fetch that asks again, a few times, when the network or the server fails for the moment. What a push sends may be sent twice: a file has its
 * hash for a name, and a commit its parent.
 *
 * @param say tells a person of a wait that the hub asked for
 */
function patientFetch(say: (line: string) => void): typeof fetch {
  return async (input, init) => {
    for (const pause of pausesMs) {
      const response = await fetch(input, init).catch((error: unknown) => {
        if (init?.signal?.aborted || isWrongAddress(error)) throw error;
        return null;
      });
      if (response !== null && !passing.has(response.status)) return response;
      const asked = response === null ? null : askedPauseMs(response.headers);
      // A request that is asked to wait for longer than this fails; a later attempt makes it again.
      if (response !== null && asked !== null && asked > longestPauseMs) return response;
      await response?.body?.cancel();
      if (asked !== null && asked > 2000) say(`The hub asks to wait ${Math.ceil(asked / 1000)} s.`);
      await sleep(asked ?? pause, undefined, { signal: init?.signal ?? undefined });
    }
    return fetch(input, init);
  };
}

const pausesMs = [500, 1000, 2000, 4000];
const longestPauseMs = 300_000;
const passing: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** Nobody listens there: waiting changes nothing. */
function isWrongAddress(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND';
}

/** As `Retry-After` says in seconds, or the hub's own `RateLimit: "api";r=0;t=55`. */
function askedPauseMs(headers: Headers): number | null {
  const seconds =
    /^\d+$/.exec(headers.get('Retry-After') ?? '')?.[0] ??
    /;\s*t=(\d+)/.exec(headers.get('RateLimit') ?? '')?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
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

type Library = typeof HubLibrary;

/** The hub, and who asks it. */
export type Hub = {
  readonly library: Library;
  readonly asked: { readonly hubUrl: string; readonly fetch: typeof fetch; readonly accessToken?: string };
  readonly refusal: (error: unknown) => HubRefusal | null;
  /** Where the token was found; null without one. */
  readonly from: string | null;
  /** Whose token it is. */
  readonly user: string | null;
};

/**
 * Opens the hub for reading, and with a token for writing.
 *
 * @param writing whether a token is needed
 * @param say tells a person of a wait that the hub asked for
 * @throws HubTokenMissing, HubNotReachable, HubRefused
 */
export async function openHub(writing: boolean, say: (line: string) => void): Promise<Hub> {
  const url = hubUrl();
  if (isOffline()) throw new HubNotReachable(url, 'HF_HUB_OFFLINE is set');
  const found = await hubToken();
  if (found === null && writing)
    throw new HubTokenMissing('Pushing needs a token of the hub, and there is none.', url);
  if (found !== null && !isHubToken(found.token))
    throw new HubTokenMissing(
      `${found.from} holds no token of the hub: those begin with hf_, and have no space and no line break.`,
      url,
    );
  const library = await import('@huggingface/hub');
  const { fetch, refusal } = watchedFetch(undefined, patientFetch(say));
  const from = found?.from ?? null;
  if (found === null) return { library, asked: { hubUrl: url, fetch }, refusal, from, user: null };
  const hub = { library, asked: { hubUrl: url, fetch, accessToken: found.token }, refusal, from };
  const { name, auth } = await ask({ ...hub, user: null }, `the token of ${from}`, () =>
    library.whoAmI(hub.asked),
  );
  if (writing && auth.accessToken?.role === 'read')
    throw new HubTokenMissing(`The token of ${from} (of ${name}) may only read.`, url);
  return { ...hub, user: name };
}

/** @param what is done, for messages. @throws HubNotReachable, HubRefused */
export async function ask<Result>(hub: Hub, what: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw asHubError(hub, what, error);
  }
}

/** What went wrong at the hub, as an error for a person. */
export function asHubError({ refusal, from, asked }: Hub, what: string, error: unknown): Error {
  if (error instanceof ColloquyError) return error;
  const refused = refusal(error);
  if (refused === null) return new HubNotReachable(asked.hubUrl, causeOf(error));
  const { status, words } = refused;
  if (passing.has(status) || status > 500)
    return new HubNotReachable(asked.hubUrl, `${what} failed with ${status} (${terminalSafe(words)})`);
  return new HubRefused(refused, what, remedyOf(refused, from));
}

function remedyOf({ status, words }: HubRefusal, from: string | null): string {
  const token = from === null ? 'Set HF_TOKEN' : `Put a token in ${from}`;
  if ([402, 413, 507].includes(status) || /storage|quota|payment/i.test(words))
    return 'Make room or get more of it there (settings, billing), or push less: adapters in place of a merged model.';
  if (status === 401) return `${token} that is valid and may write.`;
  if (status === 403)
    return `${token} that may write there, or name a repository of your own: --repo OWNER/NAME.`;
  return 'Correct what it names.';
}

/** There is no token with which to write to the hub. */
export class HubTokenMissing extends ColloquyError {
  override name = 'HubTokenMissing' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  /** @param what is wrong, in a sentence */
  constructor(what: string, url: string) {
    super(
      `${what} Make one that may write (${url}/settings/tokens), and set HF_TOKEN to it or run: hf auth login`,
    );
  }
}

/** The hub did not answer, or answered that it cannot now. */
export class HubNotReachable extends ColloquyError {
  override name = 'HubNotReachable' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor(url: string, why: string) {
    super(
      `The hub at ${url} could not be used: ${why}. Check the connection. Give the command again: large files that have arrived there are not sent again.`,
    );
  }
}

/** The hub refuses: the token, its rights, a quota, or what was sent. */
export class HubRefused extends ColloquyError {
  override name = 'HubRefused' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly status: number;

  constructor({ status, words }: HubRefusal, doing: string, remedy: string) {
    super(`The hub refused ${doing} (${status}: ${terminalSafe(words)}). ${remedy}`);
    this.status = status;
  }
}
