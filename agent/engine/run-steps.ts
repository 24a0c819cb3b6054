import { endText } from '../../platform/exit-status.ts';
import type { Runner, Step } from '../../platform/step.ts';
import { type Failure, mostCharacters } from './carried.ts';

/** One after the other, until one fails; why it did. What they remark is put into `remarks`. */
export async function runSteps(
  run: Runner,
  steps: readonly Step[],
  remarks: string[] = [],
): Promise<Failure | undefined> {
  for (const step of steps) {
    const result = await run(step);
    const { failure, remark } = result;
    if (remark !== undefined) remarks.push(remark);
    if (failure !== undefined) {
      const what = nameOf(step);
      // Some tools complain where they print their results.
      const lines = result.stdout.trim().split('\n');
      const first = step.kind === 'command' && step.complainsFirst === true;
      const said = result.stderr.trim() || lines.at(first ? 0 : -1)?.trim() || 'no message';
      return { failure, why: `${what}: ${endText(result)}: ${said.slice(0, mostCharacters)}` };
    }
  }
  return undefined;
}

function nameOf(step: Step): string {
  if (step.kind === 'dbus') return step.destination;
  return 'tool' in step ? step.tool : 'path' in step ? step.path : step.kind;
}
