/** Which S3 store is it, and how is its server asked, so that no failure of network or server is mistaken for an answer? */
import type * as Sdk from '@aws-sdk/client-s3';
import { checkedName, isName } from '../blobs.ts';
import { failureOf, InvalidS3Address, isOfNetwork, s3Error } from './errors.ts';

export type S3Address = {
  readonly bucket: string;
  /** Before each name: empty, or it ends with a slash. */
  readonly prefix: string;
};

/** The address in COLLOQUY_STORE; null when it names a folder. @throws InvalidS3Address */
export function s3AddressOf(given: string): S3Address | null {
  if (!/^s3:/i.test(given)) return null;
  const [, bucket = '', rest = ''] = /^s3:\/\/([^/]*)(.*)$/.exec(given) ?? [];
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    throw new InvalidS3Address(given.replace(/[^/]*@/, '…@'), 'it has no name of a bucket after s3://');
  const prefix = rest.replace(/^\//, '').replace(/\/$/, '');
  // Some servers store `a//b` and `./a` under another key, so that two addresses would be one store.
  if (prefix !== '' && (!isName(prefix) || /[\\?#]/.test(prefix)))
    throw new InvalidS3Address(
      given,
      'its prefix has a part that is empty, "." or "..", or has one of \\ ? #',
    );
  return { bucket, prefix: prefix === '' ? '' : `${prefix}/` };
}

/** How long the server is waited for. Milliseconds; tests have less patience. */
export type S3Patience = {
  /** How often a request is sent before it counts as failed. */
  readonly tries: number;
  /** The same, as long as the server has given no answer at all: its address may be wrong. */
  readonly firstTries: number;
  /** The pause before the second try; it doubles each time. */
  readonly pauseMs: number;
  readonly longestPauseMs: number;
  readonly connectMs: number;
  /** The longest time until an answer begins, and between two pieces of it. */
  readonly answerMs: number;
};

/** Together half a minute of pauses: as long as a switch or a server takes to come back. Then the step is tried again. */
const patient: S3Patience = {
  tries: 9,
  firstTries: 4,
  pauseMs: 200,
  longestPauseMs: 8_000,
  connectMs: 5_000,
  answerMs: 60_000,
};

/** What a request needs. It is the same object for the whole life of a store. */
export type S3 = {
  readonly address: S3Address;
  readonly sdk: typeof Sdk;
  readonly client: Sdk.S3Client;
  readonly patience: S3Patience;
  /** For people: where the server is. */
  readonly server: string;
};

export type OpenS3 = () => Promise<S3>;

/** The server that the environment names; undefined for AWS. */
export function customEndpoint(): string | undefined {
  return process.env['AWS_ENDPOINT_URL_S3'] || process.env['AWS_ENDPOINT_URL'] || undefined;
}

/** For people, without a user and password that the address may have. */
export function serverText(): string {
  const endpoint = customEndpoint();
  if (endpoint === undefined) return 'of AWS';
  return URL.canParse(endpoint) ? new URL(endpoint).origin : 'in AWS_ENDPOINT_URL_S3, which is no URL,';
}

/** Connects at the first call. The SDK takes 0.3 s and 25 MB to load, so only an S3 store loads it. */
export function openS3(address: S3Address, changes: Partial<S3Patience> = {}): OpenS3 {
  const patience = { ...patient, ...changes };
  let opened: Promise<S3> | undefined;
  return () => (opened ??= connect(address, patience));
}

async function connect(address: S3Address, patience: S3Patience): Promise<S3> {
  // Its version is pinned, and the warning that newer ones need a newer Node would be in each log.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const sdk = await import('@aws-sdk/client-s3');
  const custom = customEndpoint() !== undefined;
  const client = new sdk.S3Client({
    // A server at a host name of its own has no name for each bucket.
    ...(custom ? { forcePathStyle: true } : {}),
    ...(custom && !process.env['AWS_REGION'] && !process.env['AWS_PROFILE'] ? { region: 'us-east-1' } : {}),
    retryStrategy: persistent(patience),
    // The SDK's own checksums of streams need a trailer that simple servers do not know; ours are given with each write.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: patience.connectMs,
      requestTimeout: patience.answerMs,
      // Otherwise it only prints a warning, and waits for ever.
      throwOnRequestTimeout: true,
    },
    logger: silent,
  });
  return { address, sdk, client, patience, server: serverText() };
}

/** What the SDK logs may name keys and signatures. Failures are thrown. */
const nothing = (): void => undefined;
const silent = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };

type Strategy = Extract<
  NonNullable<Sdk.S3ClientConfig['retryStrategy']>,
  { acquireInitialRetryToken: unknown }
>;

/**
 * When a request is sent again. The SDK's own strategy has a budget, which is empty after some twenty failures: then nothing is sent again.
 * And it never sends again what lost against another conditional write at the same moment (409), although that write may have failed.
 */
function persistent({ tries, firstTries, pauseMs, longestPauseMs }: S3Patience): Strategy {
  let answered = false;
  const token = (count: number, delay: number) => ({
    getRetryCount: () => count,
    getRetryDelay: () => delay,
    getRetryCost: () => 0,
  });
  return {
    acquireInitialRetryToken: async () => token(0, 0),
    async refreshRetryTokenForRetry(before, { error, errorType }) {
      const { name, status } = failureOf(error);
      answered ||= status !== undefined;
      const again =
        !isPlainAnswer(status) &&
        (errorType !== 'CLIENT_ERROR' || name === 'ConditionalRequestConflict' || isOfNetwork(error));
      const count = before.getRetryCount() + 1;
      if (!again || count >= (answered ? tries : firstTries))
        throw error instanceof Error ? error : new Error(String(error));
      // Full jitter, so that the workers of a store do not all come back at the same moment.
      const pause = Math.min(longestPauseMs, pauseMs * 2 ** (count - 1));
      return token(count, pause * (0.5 + Math.random() / 2));
    },
    recordSuccess: () => {
      answered = true;
    },
  };
}

/**
 * Unchanged, missing, taken, past the end: such answers stay the same. Where the clock is four minutes off or more, the SDK calls each of
 * them a failure that comes from the clock.
 */
function isPlainAnswer(status: number | undefined): boolean {
  return status !== undefined && [304, 404, 412, 416].includes(status);
}

/** The key of a name. @throws Error when the name could mean another one */
export function keyOf({ address }: Pick<S3, 'address'>, name: string): string {
  return `${address.prefix}${checkedName(name)}`;
}

/** For people: the address of a name. */
export function whereIs({ bucket, prefix }: S3Address, name: string): string {
  return `s3://${bucket}/${prefix}${name}`.replace(/\/$/, '');
}

/** Does requests about a name, with errors that name it. @throws S3Refused, S3Unreachable, DiskFull, and others' errors as they are */
export async function asking<Result>(s3: S3, name: string, request: () => Promise<Result>): Promise<Result> {
  try {
    return await request();
  } catch (error) {
    throw s3Error(whereIs(s3.address, name), s3.server, error);
  }
}

/** How far this machine's clock is behind the server's, in milliseconds; known after the first answer, to a second. */
export function clockSkewMs({ client }: S3): number {
  return client.config.systemClockOffset;
}
