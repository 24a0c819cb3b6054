import type { Step, StepResult } from '../../platform/step.ts';

/** A plan as a person would type it. */
export function show(steps: readonly Step[]): string {
  return steps
    .map((step) => {
      if (step.kind !== 'command') return `${step.kind} ${'path' in step ? step.path : ''}\n`;
      const line = `$ ${[step.tool, ...step.args].join(' ')}\n`;
      return step.stdin === undefined ? line : `${line}${step.stdin}`;
    })
    .join('');
}

export const said = (stdout: string): StepResult => ({ exitCode: 0, stdout, stderr: '' });

export const failed = (stderr = 'no', exitCode = 1): StepResult => ({
  failure: 'exit',
  exitCode,
  stdout: '',
  stderr,
});
