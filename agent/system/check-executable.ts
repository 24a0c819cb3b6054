import { basename, dirname } from 'node:path';
import type { CheckExecutableStep, StepResult } from '../../platform/step.ts';
import { checkScriptFile } from './script-file.ts';

/**
 * Looks whether an executable may be run with our rights: it is there, and nobody but root and the
 * agent's own user can change it or put another in its place. `stdout` is its path without links.
 */
export async function checkExecutable({ path }: CheckExecutableStep): Promise<StepResult> {
  const found = await checkScriptFile(dirname(path), basename(path));
  if (found.fit) return { stdout: found.path, stderr: '' };
  return { failure: found.kind === 'absent' ? 'missing' : 'io', stdout: '', stderr: found.why };
}
