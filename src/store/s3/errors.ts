/** What can go wrong between this host and an S3 store? No message has a key in it, and none carries the SDK's error, which has the signed request. */
import { ColloquyError, exitCodes } from '../../errors.ts';
import { DiskFull } from '../errors.ts';

/** COLLOQUY_STORE begins with s3:// and names no bucket, or a prefix that servers would change. */
export class InvalidS3Address extends ColloquyError {
  override name = 'InvalidS3Address' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  constructor(given: string, why: string) {
    super(
      `COLLOQUY_STORE is ${JSON.stringify(given)}: ${why}. An S3 store is s3://BUCKET or s3://BUCKET/PREFIX; ` +
        'the address of a server of your own is AWS_ENDPOINT_URL_S3, and keys come from the usual AWS variables and files.',
    );
  }
}

/** A number in an environment variable of the S3 store is none. */
export class InvalidS3Setting extends ColloquyError {
  override name = 'InvalidS3Setting' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  constructor(variable: string, given: string, wanted: string) {
    super(`${variable} is ${JSON.stringify(given)}. It has to be ${wanted}.`);
  }
}

/** The server gave no answer, or only failures, however often it was asked. */
export class S3Unreachable extends ColloquyError {
  override name = 'S3Unreachable' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor(where: string, server: string, cause: string) {
    super(
      `${where}: the S3 server ${server} does not answer as it should (${cause}). It was asked several times. ` +
        'Check the network, and AWS_ENDPOINT_URL_S3 where the server is your own. The step is tried again automatically.',
    );
  }
}

/** The server refuses this worker: keys, rights, the bucket, its region or the clock. Another worker may have the right ones. */
export class S3Refused extends ColloquyError {
  override name = 'S3Refused' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  /** The server's word for it, e.g. `NoSuchBucket`. */
  readonly code: string;

  constructor(where: string, server: string, code: string, remedy: string) {
    super(`${where}: the S3 server ${server} refuses it (${code}). ${remedy}.`);
    this.code = code;
  }
}

/** Two workers could take the same work, or replace each other's results: the bucket cannot be a store. */
export class S3StoreUnsafe extends ColloquyError {
  override name = 'S3StoreUnsafe' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(where: string, server: string, found: string) {
    super(
      `${where} cannot be a store: ${found}. The server ${server} has to write an object with \`If-None-Match: *\` for one of several writers only, ` +
        'and to show it to all readers at once. AWS S3 and versitygw do so (docs/s3.md). Take such a server, or a shared folder.',
    );
  }
}

/** What is in use does not fit into the local cache of an S3 store. */
export class CacheFull extends ColloquyError {
  override name = 'CacheFull' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(folder: string, limitGb: number, needed: string) {
    super(
      `${needed} does not fit into ${folder}: the cache may have ${limitGb} GB, and what else is in it was needed within the last day. ` +
        'Allow it more with COLLOQUY_CACHE_GB where the worker is started; the work continues where it stopped.',
    );
  }
}

const keysWrong =
  'Check the keys that this worker has (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of the machine)';
const regionWrong = 'The bucket is in another region: set AWS_REGION to the one that it is in';
const clockWrong = 'The clock of this machine is wrong by more than 15 minutes: set it, for example with NTP';

/** What a person can do, by the server's word. */
const remedies: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Make the bucket, or correct its name in COLLOQUY_STORE',
  AccessDenied:
    'Give these keys the rights s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload there',
  InvalidAccessKeyId: keysWrong,
  SignatureDoesNotMatch: keysWrong,
  XAdminUserNotFound: keysWrong,
  InvalidToken: keysWrong,
  ExpiredToken: 'Its keys have expired: renew them, for example with `aws sso login`',
  ExpiredTokenException: 'Its keys have expired: renew them, for example with `aws sso login`',
  CredentialsProviderError: keysWrong,
  PermanentRedirect: regionWrong,
  AuthorizationHeaderMalformed: regionWrong,
  IllegalLocationConstraintException: regionWrong,
  RequestTimeTooSkewed: clockWrong,
  RequestExpired: clockWrong,
  KeyTooLongError: 'A name in the store is too long for this server',
  EntityTooLarge: 'The server takes no object of this size',
};

/** Of an error of the SDK. */
type Failure = { readonly name: string; readonly message: string; readonly status: number | undefined };

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: 'unknown', message: String(error), status: undefined };
  const metadata =
    '$metadata' in error ? (error.$metadata as { httpStatusCode?: number } | undefined) : undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  // An answer to HEAD has no body, and so no name.
  const known = Object.hasOwn(remedies, error.name) || code === undefined;
  return { name: known ? error.name : code, message: error.message, status: metadata?.httpStatusCode };
}

/**
 * Whether there is no object of this name. Not every 404 says so: the bucket may be missing, and versitygw gives it for unknown keys. It also
 * has names for an object that stands where the name needs a folder.
 */
export function isMissingObject(error: unknown): boolean {
  return ['NoSuchKey', 'NotFound', 'ObjectParentIsFile'].includes(failureOf(error).name);
}

/** Whether a conditional write found the name taken. */
export function isTaken(error: unknown): boolean {
  return failureOf(error).status === 412;
}

/**
 * The error of a failed request as one of ours. An error of another class, e.g. of the bytes' maker, is returned as it is.
 *
 * @param server for people
 */
export function s3Error(where: string, server: string, error: unknown): unknown {
  if (error instanceof ColloquyError || !(error instanceof Error)) return error;
  const { name, message, status } = failureOf(error);
  if (name === 'InsufficientStorage' || name === 'QuotaExceeded' || status === 507)
    return new DiskFull(where, new Error(name));
  if (name === 'Error' && message.startsWith('Region is missing'))
    return new S3Refused(where, server, 'no region', 'Set AWS_REGION to the region of the bucket');
  if (status === 403 && !Object.hasOwn(remedies, name))
    return new S3Refused(where, server, '403', `${keysWrong}, and that they may use this bucket`);
  if (status === 301 || status === 307) return new S3Refused(where, server, String(status), regionWrong);
  const remedy = remedies[name];
  if (remedy !== undefined) return new S3Refused(where, server, name, remedy);
  if (status !== undefined || isOfNetwork(error))
    return new S3Unreachable(where, server, status === undefined ? name : `${status} ${name}`);
  return error;
}

/** Whether an answer never came, or broke off. */
export function isOfNetwork(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return (
    error.name === 'TimeoutError' ||
    error.message === 'aborted' ||
    /^(E(CONN|PIPE|TIMEDOUT|HOST|NET|NOTFOUND|AI_)\w*|ERR_STREAM_PREMATURE_CLOSE|CERT_\w+|ERR_TLS_\w+|DEPTH_ZERO\w+|SELF_SIGNED\w+|UNABLE_TO\w+|HPE_\w+)$/.test(
      code,
    )
  );
}
