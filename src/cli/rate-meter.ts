/** How fast something grows, over the last while. */
export type RateMeter = {
  /** Notes the value at a time (milliseconds). Forgets all when the value falls: something else is measured then. */
  note(at: number, value: number): void;
  /** Units a second; undefined while too little is known. */
  perSecond(): number | undefined;
};

/** A meter that looks back `windowMs`: long enough to be steady, short enough to notice a change. */
export function createRateMeter(windowMs = 20_000): RateMeter {
  let notes: { at: number; value: number }[] = [];
  return {
    note(at, value) {
      if (value < (notes.at(-1)?.value ?? 0)) notes = [];
      notes.push({ at, value });
      notes = notes.filter((each) => at - each.at <= windowMs);
    },
    perSecond() {
      const [first, last] = [notes[0], notes.at(-1)];
      if (first === undefined || last === undefined || last.at - first.at < 1_500) return undefined;
      const rate = ((last.value - first.value) / (last.at - first.at)) * 1000;
      return rate > 0 ? rate : undefined;
    },
  };
}
