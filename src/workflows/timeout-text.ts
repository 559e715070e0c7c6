/** What a step's timeout means. Of the types of Temporal's timeouts only two are set: see activity-proxies.ts. */
export function timeoutText(type: string | undefined): string {
  return type === 'HEARTBEAT'
    ? 'Its worker gave no sign of life for 20 s: it died, was killed, or cannot reach Temporal.'
    : `It took longer than a step may take (${type ?? 'timeout'}): it hangs.`;
}
