/**
 * Ends a process, by its number and the program that has to run under it. A number is given to another
 * process some day, so program and start are compared at the last moment; see agent/system/end-process.ts
 * and agent/system/windows/end-process.ts.
 */
import type {
  Attempt,
  Facts,
  Judgement,
  OneShot,
  Question,
  Settings,
  Usability,
} from '../driver.ts';
import type { EndProcessAnswer, EndProcessStep, StepResult } from '../step.ts';
import type { ProcessTarget } from '../target.ts';

export const defaults = {
  /** Seconds between SIGTERM and SIGKILL; 0: no SIGTERM. */
  grace: '0',
  family: 'no',
  /** Seconds by which the manager's clock and ours may differ. */
  clockSkew: '2',
  /** Programs, and folders of programs, one a line; config/path-defaults.ts has those of every agent. */
  never: '',
} as const;

/** `system` is where it is done, if it is not as on Linux. */
export function processEnder(
  { name, settings }: { readonly name: string; readonly settings: Settings },
  probe: Question<Usability>,
  system?: EndProcessStep['system'],
): OneShot<ProcessTarget> {
  return {
    name,
    settings,
    // Repeatable: a process that is gone, or whose number is another's by now, is left alone.
    traits: { tries: 5, repeatable: true, atOnce: 8 },
    probe,
    perform: (target, facts, attempt) => ({
      steps: [{ ...plan(settings, target, facts, attempt), ...(system && { system }) }],
      read: ([result]) => judge(result, attempt?.maybeDone === true),
    }),
  };
}

function plan(
  settings: Settings,
  { pid, executable }: ProcessTarget,
  { alertAt }: Facts,
  attempt: Attempt | undefined,
): EndProcessStep {
  const setting = (name: keyof typeof defaults): string => settings[name] ?? defaults[name];
  const knownAt = alertAt ?? attempt?.askedAt;
  return {
    kind: 'end-process',
    pid,
    executable,
    ...(knownAt === undefined
      ? {}
      : { startedBefore: knownAt + Number(setting('clockSkew')) * 1_000 }),
    graceMs: Number(setting('grace')) * 1_000,
    family: setting('family') === 'yes',
    never: setting('never').split('\n').filter(Boolean),
  };
}

function judge(result: StepResult | undefined, maybeDone: boolean): Judgement {
  const answer = parse(result);
  if (answer === undefined) {
    const why = result?.stderr.trim() || result?.failure || 'no answer';
    return { done: false, why: `cannot be ended: ${why}`, again: false };
  }
  switch (answer.outcome) {
    case 'ended':
      return { done: true };
    case 'gone':
      if (maybeDone) return { done: true };
      return { done: false, why: 'does not run any more', again: false, refusal: 'absent' };
    case 'recycled':
      if (maybeDone) return { done: true };
      return { done: false, why: answer.why, again: false, refusal: 'changed' };
    case 'changed':
    case 'protected':
      return { done: false, why: answer.why, again: false, refusal: answer.outcome };
    case 'lives':
      return { done: false, why: answer.why, again: true };
  }
}

const outcomes = ['ended', 'gone', 'recycled', 'changed', 'protected', 'lives'];

function parse(result: StepResult | undefined): EndProcessAnswer | undefined {
  if (result === undefined || result.failure !== undefined) return undefined;
  try {
    const answer = JSON.parse(result.stdout) as EndProcessAnswer;
    return outcomes.includes(answer.outcome) ? answer : undefined;
  } catch {
    return undefined;
  }
}
