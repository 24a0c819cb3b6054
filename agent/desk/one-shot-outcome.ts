/** What a judgement of a one-shot means: for the journal, and for whoever asked. */
import type { Judgement } from '../../platform/driver.ts';
import { pauseMs } from '../engine/backoff.ts';
import { ArError } from '../errors.ts';
import type { Action, Change, Order, Outcome } from '../words.ts';

export function changeOf(
  { id, attempts }: Action,
  judgement: Judgement,
  tries: number,
  now: number,
): Change {
  if (judgement.done) return { id, state: 'done' };
  const { why } = judgement;
  if (!triesAgain(attempts, judgement, tries)) return { id, state: 'failed', trouble: why };
  const dueAt = nextTry(attempts, judgement, now);
  return { id, state: 'intended', dueAt, trouble: why, triedAgain: true };
}

export function outcomeOf(
  action: Action,
  judgement: Judgement,
  tries: number,
  now: number,
): Outcome | ArError {
  if (judgement.done) {
    return { kind: 'done', action: { ...action, state: 'done', trouble: undefined } };
  }
  const { why, refusal } = judgement;
  if (triesAgain(action.attempts, judgement, tries)) {
    const failed = { ...action, trouble: why, attempts: action.attempts + 1 };
    return waitingFor(failed, nextTry(action.attempts, judgement, now));
  }
  if (refusal !== undefined) {
    return new ArError(`target-${refusal}`, `${action.target.text} ${why}`, 'Nothing was done.');
  }
  return new ArError(
    'driver-failed',
    `${action.response}: ${why}`,
    'It is not tried again. "ar-exec list --history" shows it.',
  );
}

export function waitingFor(action: Action, nextAt: number): Outcome {
  return { kind: 'waiting', action, nextAt };
}

/** What was asked for when the action came into being. */
export function orderOf({ response, target, instance, facts, origin, managerLine }: Action): Order {
  return { verb: 'add', response, target, instance, facts, origin, managerLine };
}

export function asError(error: unknown): ArError {
  if (error instanceof ArError) return error;
  const said = error instanceof Error ? error.message : String(error);
  return new ArError('internal', said, 'This is a fault of ar-exec: please report it.');
}

type NotDone = Extract<Judgement, { done: false }>;

function triesAgain(attempts: number, { again }: NotDone, tries: number): boolean {
  return again && attempts + 1 < tries;
}

function nextTry(attempts: number, { afterMs }: NotDone, now: number): number {
  return now + Math.max(afterMs ?? 0, pauseMs(attempts));
}
