import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Begun first, the longest first: each of them does one thing after another for a minute or more, and begun last would be waited for
 * alone. `temporal` stands for the rest of that project, and what comes after it are the longest of all others.
 */
const order = [
  'engine/python',
  'faults/faults-in-one-world',
  'workflows/scheduled-nights',
  'workflows/experiment',
  'faults/',
  'workflows/nights',
  'workflows/',
  'hostile/',
  'temporal',
  'engines/trainer.test',
  'store/faults',
  'export/load-back',
  'activities/steps/debate-memory',
  'report/write-study-report',
];

/** The order in which files are begun. A process goes on with files of the same project, so those stand together. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification): number => {
      const found = order.findIndex((part) => moduleId.includes(`/test/${part}`));
      if (found >= 0) return found;
      return project.name === 'temporal' ? order.indexOf('temporal') : order.length;
    };
    // oxlint-disable-next-line unicorn/no-array-sort -- the sequencer's own method, not the array's
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
