/** What the tests of the stages have in common: targets, orders, and a driver instance. */

import type { Action, Instance, Order } from '../../agent/words.ts';
import { type AddressTarget, parseTarget } from '../../platform/target.ts';

export const instance: Instance = { driver: 'nftables', settings: { table: 'ar-exec' } };

export function target(text: string): AddressTarget {
  const parsed = parseTarget(text);
  if (parsed === undefined) throw new Error(`${text} is no target`);
  return parsed;
}

export function order(verb: 'add' | 'delete', text: string, more: Partial<Order> = {}): Order {
  return {
    verb,
    response: 'firewall-drop',
    target: target(text),
    instance,
    origin: { dialect: 'native' },
    ...more,
  };
}

export function action(text: string, more: Partial<Action> = {}): Action {
  return {
    id: 1,
    response: 'firewall-drop',
    target: target(text),
    instance,
    state: 'active',
    createdAt: 0,
    origin: { dialect: 'native' },
    preExisting: false,
    attempts: 0,
    ...more,
  };
}
