/** What there is to say of a tool of Windows that did not answer. */
import { endText } from '../exit-status.ts';
import type { StepResult } from '../step.ts';

/** Its own words; one that crashed has none. */
export function saidOf(result: StepResult | undefined): string {
  return result?.stderr.trim() || endText(result ?? {});
}
