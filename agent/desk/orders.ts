/** Orders that a desk makes by itself, and what it makes of those that it gets. */
import { instanceKey } from '../instance-key.ts';
import type { Journal } from '../journal/journal.ts';
import { mergeEscalations } from '../policy/offenders.ts';
import type { Action, Instance, Order } from '../words.ts';

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

export function deletion({ response, target, instance, origin }: Action): Order {
  return { verb: 'delete', response, target, instance, origin };
}

export function expiry(action: Action): Order {
  return { ...deletion(action), onlyWhenDue: true };
}
