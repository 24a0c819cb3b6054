/** What there is to say of a tool of Windows that did not answer. */
import type { StepResult } from '../step.ts';
import { statusText } from './names.ts';

/** Its own words; one that crashed has none. */
export function saidOf(result: StepResult | undefined): string {
  if (result === undefined) return 'no answer';
  const { failure = 'no answer', exitCode } = result;
  const ended = exitCode === undefined ? failure : `exit ${statusText(exitCode)}`;
  return result.stderr.trim() || ended;
}
