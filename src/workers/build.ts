/** `npm run build`: makes dist/workflow-bundle.js, which workers run as long as it fits the sources. */
import { ForbiddenImport } from './bundle.ts';
import { makePrebuiltBundle } from './make-prebuilt-bundle.ts';

try {
  const { bytes, colloquy, sdk, sources, files } = await makePrebuiltBundle();
  console.log(
    `dist/workflow-bundle.js: ${(bytes / 1e6).toFixed(2)} MB of ${files.length} files (sources ${sources.slice(0, 12)}); ` +
      `Colloquy ${colloquy}, Temporal SDK ${sdk}`,
  );
} catch (error) {
  if (!(error instanceof ForbiddenImport)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
