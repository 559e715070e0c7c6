import type { ArgsDef } from 'citty';

/** The schedule a command is about. */
export const scheduleArgument = {
  name: { type: 'positional', description: "the schedule's name", required: true },
} as const satisfies ArgsDef;

/** Why, for whoever looks next. */
export const noteArgument = {
  note: { type: 'string', description: 'why, for whoever looks at the schedule next', valueHint: 'text' },
} as const satisfies ArgsDef;
