/** Removes the folders that a file of tests has asked for: vitest would never call an afterAll that a test or a hook registers. */
import { afterAll } from 'vitest';
import { removeTemporaryFolders } from '../store/temporary-folder.ts';

// Registered before any hook of the file, so it runs after all of them.
afterAll(removeTemporaryFolders);
