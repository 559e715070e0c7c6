export interface PytestOutcome {
  /** `test_serve.py::test_name[parameters]` */
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** What pytest tells of its failure; empty when it passed. */
  readonly account: string;
}

/** The tests in what `pytest -v --color=no` printed. */
export function parsePytest(output: string): PytestOutcome[] {
  return [...output.matchAll(line)].map(([, path = '', word = '']) => ({
    name: path.replace(/^.*\//, ''),
    outcome: outcomes[word] ?? 'failed',
    account: accountOf(path.replace(/^.*?::/, '').replaceAll('::', '.'), output),
  }));
}

/** Pytest heads the account of a failure with the test's name between underscores. */
function accountOf(test: string, output: string): string {
  const accounts = output.split(/^_{3,} (?:ERROR at \w+ of )?(.+?) _{3,}$/m);
  const heading = accounts.findIndex((text, index) => index % 2 === 1 && text === test);
  return heading === -1 ? '' : (accounts[heading + 1] ?? '').replace(/^={3,}[^]*/m, '').trim();
}

const line = /^(\S+\.py::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b.*$/gm;

const outcomes: Record<string, PytestOutcome['outcome']> = {
  PASSED: 'passed',
  XFAIL: 'passed',
  SKIPPED: 'skipped',
};
