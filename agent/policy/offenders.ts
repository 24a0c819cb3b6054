/** Whether a request counts as an offence, and what a repeated one is answered with. */
import type { Escalation, Origin, Request } from '../words.ts';
import type { Decision } from './decide.ts';

export interface Repetition {
  /** Seconds for the second, third … offence; none: each is answered like the first. */
  readonly repeatedOffenderSeconds: readonly number[];
  /** So many seconds without an offence, and the next one is a first one. */
  readonly repeatedOffendersForgetSeconds: number;
}

/** Managers and alerts; what a person asks for is meant as it stands. */
const counting: ReadonlySet<Origin['dialect']> = new Set(['ossec', 'wazuh4', 'wazuh5', 'alert']);

/**
 * How an order is to be escalated; undefined where its own timeout counts each time. Only what has a
 * timeout and is taken back has steps. What a manager's own execd hands over (`logged`) is counted
 * there, and taken back from there.
 */
export function escalationOf(
  { verb, timeoutSeconds, logged, origin }: Request,
  { definition, target }: Pick<Decision, 'definition' | 'target'>,
  { repeatedOffenderSeconds, repeatedOffendersForgetSeconds }: Repetition,
): Escalation | undefined {
  if (repeatedOffenderSeconds.length === 0 || timeoutSeconds === undefined) return undefined;
  const counts = verb === 'add' && logged !== true && counting.has(origin.dialect);
  if (!counts || !definition.stateful) return undefined;
  return {
    steps: repeatedOffenderSeconds,
    forgetAfterMs: repeatedOffendersForgetSeconds * 1_000,
    offender: target.text,
    messages: 1,
  };
}

/**
 * The escalation of one order in place of two; undefined when they must stay two, which is when the
 * messages of only one of them are to be counted.
 */
export function mergeEscalations(
  earlier: Escalation | undefined,
  later: Escalation | undefined,
): { readonly escalation: Escalation | undefined } | undefined {
  if (earlier === undefined && later === undefined) return alike;
  if (earlier === undefined || later === undefined) return undefined;
  if (earlier.counted !== later.counted || earlier.offender !== later.offender) return undefined;
  return { escalation: { ...later, messages: earlier.messages + later.messages } };
}

const alike = { escalation: undefined };
