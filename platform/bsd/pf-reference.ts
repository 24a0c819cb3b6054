/**
 * macOS starts with pf disabled, and several programs share it: each that wants it enabled holds a
 * reference (`pfctl -E`), and pf is disabled with the last of them. All holders are called `pfctl` in
 * the list, so that only the token tells ours (pfctl(8) of macOS). It is kept in a file below /var/run:
 * a restart ends references and file alike.
 */
import type { Step, StepResult } from '../step.ts';
import { type Place, pfctl, worked } from './pf-commands.ts';

export function askReference({ token }: Place): Step[] {
  if (token === '') return [];
  return [{ kind: 'read-file', path: token }, pfctl(['-s', 'References'])];
}

/** Whether our reference is held; `yes` where none is needed. */
export function readReference(
  { token }: Place,
  [file, references]: readonly StepResult[],
): 'yes' | 'no' | 'unknown' {
  if (token === '') return 'yes';
  if (!worked(file) || !worked(references)) return 'unknown';
  const kept = file.stdout.trim();
  return kept !== '' && references.stdout.split(/\s+/).includes(kept) ? 'yes' : 'no';
}

export function holdReference({ token }: Place): Step[] {
  return token === '' ? [] : [{ kind: 'pf-reference', path: token, hold: true }];
}

export function releaseReference({ token }: Place): Step[] {
  return token === '' ? [] : [{ kind: 'pf-reference', path: token, hold: false }];
}
