import type { Step, StepResult } from '../../step.ts';

/** Tells whether this is a container: docker, podman, or what names itself to its first process. */
export const askContainer: readonly Step[] = [
  { kind: 'command', tool: 'test', args: ['-e', '/.dockerenv'] },
  { kind: 'command', tool: 'test', args: ['-e', '/run/.containerenv'] },
  { kind: 'read-file', path: '/proc/1/environ' },
];

/** Understands the answers to `askContainer`. */
export function isContainer([docker, podman, environment]: readonly StepResult[]): boolean {
  const named = (environment?.stdout ?? '').split('\0').some((one) => /^container=./.test(one));
  return docker?.exitCode === 0 || podman?.exitCode === 0 || named;
}
