/** How a program ended, in words. */
import type { StepResult } from './step.ts';

/**
 * The status that a program ended with, as people and the pages of Microsoft write it. That of one that
 * crashed is one of Windows' own (ntstatus.h), which Node gives as a large number: 3221225477 is
 * 0xC0000005, an access that was not allowed.
 */
export function statusText(exitCode: number): string {
  if (exitCode <= 0x7fff_ffff) return String(exitCode);
  return `${exitCode - 2 ** 32} (0x${exitCode.toString(16).toUpperCase()})`;
}

/** What came of a tool that had nothing to say itself. */
export function endText({ failure, exitCode }: Pick<StepResult, 'failure' | 'exitCode'>): string {
  return exitCode === undefined ? (failure ?? 'no answer') : `exit ${statusText(exitCode)}`;
}
