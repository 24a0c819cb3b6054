import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { CommandStep, PfReferenceStep, StepResult } from '../../platform/step.ts';
import { isAbsent } from './replace-file.ts';

type RunCommand = (step: CommandStep) => Promise<StepResult>;

/** See PfReferenceStep. An agent that dies between the two leaves a reference: pf stays enabled. */
export async function runPfReference(
  { path, hold }: PfReferenceStep,
  runCommand: RunCommand,
): Promise<StepResult> {
  const pfctl = (...args: string[]) => runCommand({ kind: 'command', tool: 'pfctl', args });
  const kept = await tokenIn(path);
  if (!hold) return kept === undefined ? done : release(path, await pfctl('-X', kept));
  if (kept !== undefined) {
    const references = await pfctl('-s', 'References');
    if (references.failure !== undefined) return references;
    if (references.stdout.split(/\s+/).includes(kept)) return done;
  }
  const enabled = await pfctl('-E');
  if (enabled.failure !== undefined) return enabled;
  // On standard error, as all that pfctl says of what it did.
  const token = /^Token\s*:\s*(\d+)\s*$/m.exec(enabled.stderr)?.[1];
  if (token === undefined) return { failure: 'io', stdout: '', stderr: 'pfctl -E names no token' };
  await writeFile(`${path}.new`, `${token}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return done;
}

const done: StepResult = { exitCode: 0, stdout: '', stderr: '' };

async function tokenIn(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isAbsent(error)) return '';
    throw error;
  });
  return /^(\d+)\n$/.exec(text)?.[1];
}

/** A token that is not valid any more, as after a `pfctl -d` of somebody, has nothing to release. */
async function release(path: string, result: StepResult): Promise<StepResult> {
  const isOver = /token invalid|pf not enabled/.test(result.stderr);
  if (result.failure !== undefined && !isOver) return result;
  await rm(path, { force: true });
  return done;
}
