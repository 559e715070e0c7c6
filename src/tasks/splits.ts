import type { ByText } from './by-text.ts';
import type { LeftOut } from './problem.ts';

/** All questions of a task that is read: those that may be trained on and those that may be held out, none in both. */
export type Splits = {
  readonly training: ByText;
  readonly heldOut: ByText;
  readonly leftOut: readonly LeftOut[];
  /** Where the two come from, for messages. */
  readonly from: { readonly training: string; readonly heldOut: string };
};
