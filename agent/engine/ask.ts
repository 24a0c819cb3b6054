import type { Inquiry } from '../../platform/driver.ts';
import type { Runner, StepResult } from '../../platform/step.ts';

/**
 * What the machine answers, for `read` of the question. What is asked changes nothing, so it is asked
 * side by side: a tool that hangs keeps no other from answering.
 */
export async function ask(
  { steps, more }: Pick<Inquiry<unknown>, 'steps' | 'more'>,
  run: Runner,
): Promise<readonly StepResult[]> {
  const first = await Promise.all(steps.map(run));
  const rest = await Promise.all((more?.(first) ?? []).map(run));
  return [...first, ...rest];
}
