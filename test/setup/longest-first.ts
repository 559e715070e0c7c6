import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Minutes each: begun last, one of them would be waited for alone. */
const longest = ['engine/python.test.ts', 'faults/', 'workflows/', 'export/load-back.test.ts', 'hostile/'];

/** The order in which files are begun where no earlier run has told how long they take. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = longest.findIndex((part) => moduleId.includes(`/test/${part}`));
      return found < 0 ? longest.length : found;
    };
    // oxlint-disable-next-line unicorn/no-array-sort -- the sequencer's own method, not the array's
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
