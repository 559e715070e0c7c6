import { describe, expect, it } from 'vitest';
import { deploymentVersion } from '../../src/workers/start.ts';

describe('the version that a worker serves', () => {
  it('is none without a deployment', () => {
    expect(deploymentVersion({})).toBeUndefined();
    expect(deploymentVersion({ COLLOQUY_DEPLOYMENT: '', COLLOQUY_BUILD_ID: '' })).toBeUndefined();
  });

  it('is the build of the deployment that the environment names', () => {
    expect(deploymentVersion({ COLLOQUY_DEPLOYMENT: 'colloquy', COLLOQUY_BUILD_ID: '1a2b3c' })).toEqual({
      deploymentName: 'colloquy',
      buildId: '1a2b3c',
    });
  });

  it.each([
    [{ COLLOQUY_DEPLOYMENT: 'colloquy' }, /COLLOQUY_BUILD_ID/],
    [{ COLLOQUY_BUILD_ID: '1a2b3c' }, /COLLOQUY_DEPLOYMENT/],
    [{ COLLOQUY_DEPLOYMENT: 'my.colloquy', COLLOQUY_BUILD_ID: '1a2b3c' }, /without dots/],
  ])('is refused when only half is said, or what Temporal cannot take: %j', (environment, words) => {
    expect(() => deploymentVersion(environment)).toThrow(words);
  });
});
