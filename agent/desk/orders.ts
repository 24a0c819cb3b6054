/** Orders that a desk makes by itself, and what it makes of those that it gets. */
import { HeldElsewhere } from '../engine/elsewhere.ts';
import { ArError } from '../errors.ts';
import { instanceKey } from '../instance-key.ts';
import type { Journal } from '../journal/journal.ts';
import { mergeEscalations } from '../policy/offenders.ts';
import type { Action, Instance, Order, Outcome } from '../words.ts';

/**
 * What the same driver holds with other settings: it can stand in the very place (a set that was made
 * anew, with other options), and is no stray effect.
 */
export function heldByOthers(journal: Journal, instance: Instance): string[] {
  const key = instanceKey(instance);
  return journal
    .instances()
    .filter((one) => one.driver === instance.driver && instanceKey(one) !== key)
    .flatMap((one) => journal.heldBy(one).map(({ target }) => target.text));
}

/** Two wishes for the same come to one that asks for the longer time. */
export function mergeOrders(earlier: Order, later: Order): Order | undefined {
  const same = earlier.response === later.response;
  if (!same || earlier.verb !== 'add' || later.verb !== 'add') return undefined;
  const merged = mergeEscalations(earlier.escalation, later.escalation);
  if (merged === undefined) return undefined;
  const { timeoutSeconds: _timeout, ...rest } = later;
  const order = merged.escalation === undefined ? rest : { ...rest, ...merged };
  if (earlier.timeoutSeconds === undefined || later.timeoutSeconds === undefined) return order;
  return { ...order, timeoutSeconds: Math.max(earlier.timeoutSeconds, later.timeoutSeconds) };
}

/** Whether nobody else goes on with an order, so that what came of it is to be told. */
export function isTheEnd(
  order: Order,
  outcome: Outcome | Error | undefined,
): outcome is Outcome | ArError {
  if (outcome === undefined || outcome instanceof HeldElsewhere) return false;
  return !(outcome instanceof Error && order.tryElsewhere === true);
}

export function deletion({ response, target, instance, origin }: Action): Order {
  return { verb: 'delete', response, target, instance, origin };
}

export function expiry(action: Action): Order {
  return { ...deletion(action), onlyWhenDue: true };
}

/** A revert that did not work has been reported, and stands in the journal for the next try. */
export function ignoreReported(error: unknown): void {
  if (!(error instanceof ArError || error instanceof HeldElsewhere)) throw error;
}

/** What could not even be written down was not tried: to try it again at once would not help. */
export function ignoreTried(error: unknown): void {
  ignoreReported(error);
  if (error instanceof ArError && error.code === 'journal-failed') throw error;
}
