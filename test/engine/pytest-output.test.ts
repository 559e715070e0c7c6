import { describe, expect, it } from 'vitest';
import { parsePytest } from './pytest-output.ts';

describe('parsePytest', () => {
  it('finds each test, also those with spaces in their parameters, and the account of each failure', () => {
    const tests = parsePytest(
      [
        'collecting ... collected 4 items',
        '',
        'engine/tests/test_serve.py::test_answers PASSED                 [ 25%]',
        'engine/tests/test_serve.py::test_bodies[a b] FAILED             [ 50%]',
        'engine/tests/test_train.py::test_gpu SKIPPED (no GPU)           [ 75%]',
        'engine/tests/test_train.py::test_fixture ERROR                  [100%]',
        '',
        '=== FAILURES ===',
        '_________ test_bodies[a b] __________',
        'assert 1 == 2',
        '======= ERRORS =======',
        '____ ERROR at setup of test_fixture ____',
        'no such fixture',
        '=== short test summary info ===',
        'FAILED engine/tests/test_serve.py::test_bodies[a b]',
      ].join('\n'),
    );
    expect(tests).toEqual([
      { name: 'test_serve.py::test_answers', outcome: 'passed', account: '' },
      { name: 'test_serve.py::test_bodies[a b]', outcome: 'failed', account: 'assert 1 == 2' },
      { name: 'test_train.py::test_gpu', outcome: 'skipped', account: '' },
      { name: 'test_train.py::test_fixture', outcome: 'failed', account: 'no such fixture' },
    ]);
  });
});
