import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Minutes each: begun last, one of them would be waited for alone. The rest of their project comes after them, and before all others. */
const longest = [
  'engine/python',
  'workflows/scheduled-nights',
  'faults/',
  'workflows/schedule-times',
  'workflows/',
  'hostile/',
];

/** The order in which files are begun. A process goes on with files of the same project, so those stand together. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification): number => {
      const found = longest.findIndex((part) => moduleId.includes(`/test/${part}`));
      if (found >= 0) return found;
      return project.name === 'temporal' ? longest.length : longest.length + 1;
    };
    // oxlint-disable-next-line unicorn/no-array-sort -- the sequencer's own method, not the array's
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
