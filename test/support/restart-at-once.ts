/** Of a dev server: the same workflow id may be started again at once, without the server's pause between two runs of one id. */
export const restartAtOnce = [
  '--dynamic-config-value',
  'history.workflowIdReuseMinimalInterval="0s"',
] as const;
