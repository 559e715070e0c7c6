import { InvalidEnvironment } from '../telemetry/telemetry-settings.ts';

/** Which version of the code a worker serves, by Temporal's Worker Versioning. */
export type DeploymentVersion = { readonly deploymentName: string; readonly buildId: string };

/**
 * The version that COLLOQUY_DEPLOYMENT and COLLOQUY_BUILD_ID name; undefined without them: then nothing is versioned, and nothing need
 * be registered.
 *
 * @throws InvalidEnvironment when one of the two is missing, or has a dot in the deployment's name
 */
export function deploymentVersion(
  environment: NodeJS.ProcessEnv = process.env,
): DeploymentVersion | undefined {
  const deploymentName = environment['COLLOQUY_DEPLOYMENT'] ?? '';
  const buildId = environment['COLLOQUY_BUILD_ID'] ?? '';
  if (deploymentName === '' && buildId === '') return undefined;
  if (deploymentName === '' || deploymentName.includes('.'))
    throw new InvalidEnvironment('COLLOQUY_DEPLOYMENT', deploymentName, 'a name without dots, e.g. colloquy');
  if (buildId === '')
    throw new InvalidEnvironment('COLLOQUY_BUILD_ID', buildId, 'the id of this build, e.g. a git commit');
  return { deploymentName, buildId };
}
