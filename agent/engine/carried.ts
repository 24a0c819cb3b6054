import type { Effect, Reading } from '../../platform/driver.ts';
import type { StepResult } from '../../platform/step.ts';
import type { Target } from '../../platform/target.ts';

/**
 * What came of one effect:
 * - `done`: the machine is as asked
 * - `pre-existing`: something that is not ours does the same already; it was left alone
 * - `failed`: the machine is as before
 * - `unknown`: nobody can say; it has to be looked at again
 */
export interface Carried {
  readonly target: Target;
  readonly result: 'done' | 'pre-existing' | 'failed' | 'unknown';
  readonly failure?: NonNullable<StepResult['failure']>;
  /** What went wrong; of what is done: what is to be known all the same. */
  readonly why?: string;
  /** It was not tried: the target is not fit for it, see `Examined`. */
  readonly refusal?: 'absent' | 'protected' | 'changed';
}

/** Why a step did not do. */
export interface Failure {
  readonly failure: NonNullable<StepResult['failure']>;
  readonly why: string;
}

/** Of what a tool says, in a reason that ends up in replies, logs and the journal. */
export const mostCharacters = 1_000;

/** A look that gave no answer says why, with as many words. */
export function inFewWords(reading: Reading): Reading {
  return reading.known ? reading : { ...reading, why: reading.why.slice(0, mostCharacters) };
}

/** The same result for all of them. */
export function all(
  effects: readonly Effect[],
  result: Carried['result'],
  failed?: Failure,
): Carried[] {
  return effects.map(({ target }) => ({ target, result, ...failed }));
}
