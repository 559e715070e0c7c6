import { timeoutText } from '../workflows/failures.ts';
import { terminalSafe } from '../text/terminal-safe.ts';

/** A failure as the server keeps it, as far as people are told of it. */
type Failure = {
  readonly message?: string | null;
  readonly applicationFailureInfo?: { readonly type?: string | null } | null;
  readonly timeoutFailureInfo?: { readonly timeoutType?: number | null } | null;
};

/** Why an attempt failed, in a line: `EngineUnreachable: http://... (ECONNREFUSED)`. */
export function failureText({ message, applicationFailureInfo, timeoutFailureInfo }: Failure): string {
  if (timeoutFailureInfo)
    return timeoutText(timeoutFailureInfo.timeoutType === heartbeat ? 'HEARTBEAT' : 'START_TO_CLOSE');
  const type = applicationFailureInfo?.type;
  const words = terminalSafe(message ?? 'no reason given').replace(/\s+/g, ' ');
  return `${type ? `${type}: ` : ''}${words.length > longest ? `${words.slice(0, longest)}…` : words}`;
}

const longest = 400;
/** temporal.api.enums.v1.TimeoutType.TIMEOUT_TYPE_HEARTBEAT */
const heartbeat = 4;
