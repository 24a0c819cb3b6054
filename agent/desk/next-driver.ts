/**
 * An order goes to one driver. When that one fails, and is known to hold nothing of it, it goes to the
 * next in order of preference: a new intent, which names that driver.
 */

import { HeldElsewhere } from '../engine/elsewhere.ts';
import { ArError, type ErrorCode } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Instance, Order, Outcome } from '../words.ts';
import type { Desk, Reporter } from './desk.ts';

export interface Ways {
  readonly journal: Pick<Journal, 'holder'>;
  readonly report: Pick<Reporter, 'outcome' | 'trouble'>;
  deskOf(instance: Instance): Desk;
  isStopping(): boolean;
  /** From now on an instance holds something that would not be chosen for it. */
  onNext(): void;
}

/** The driver did not do it. Anything else (a refusal, a full disk) would be so with the next one too. */
const troubles: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'driver-failed',
  'driver-timeout',
  'driver-unavailable',
]);
/** What is held does not change its holder all the time. */
const mostTurns = 8;

/**
 * Carries an order out by its own instance, or by the next one of `others` that can. Rejects as the
 * desks do.
 */
export function carryOut(
  ways: Ways,
  order: Order,
  others: readonly Instance[] = [],
): Promise<Outcome> {
  const tryElsewhere = others.length > 0 ? true : undefined;
  return ways
    .deskOf(order.instance)
    .carryOut(tryElsewhere === undefined ? order : { ...order, tryElsewhere })
    .catch((error: unknown) => {
      if (error instanceof HeldElsewhere) return byHolder(ways, order, error.instance);
      if (tryElsewhere === undefined) throw error;
      return byNext(ways, order, { others, error });
    });
}

/** It was held already, by another instance than the one that was asked. */
async function byHolder(ways: Ways, order: Order, holder: Instance): Promise<Outcome> {
  let instance = holder;
  for (let turn = 0; turn < mostTurns; turn += 1) {
    try {
      return await ways.deskOf(instance).carryOut({ ...order, instance });
    } catch (error) {
      if (!(error instanceof HeldElsewhere)) throw error;
      instance = error.instance;
    }
  }
  throw new ArError('internal', `${order.target.text} has no holder for long`, 'Ask again.');
}

async function byNext(
  ways: Ways,
  order: Order,
  { others, error }: { readonly others: readonly Instance[]; readonly error: unknown },
): Promise<Outcome> {
  const [instance, ...rest] = others;
  if (instance === undefined || !isOver(ways, order, error)) {
    // The desk has left it to us to tell.
    if (error instanceof ArError) ways.report.outcome(order, error);
    throw error;
  }
  ways.report.trouble(order.instance, error);
  ways.onNext();
  try {
    return await carryOut(ways, { ...afterFailure(order), instance }, rest);
  } catch (later) {
    throw withFormer(later, error, order.instance);
  }
}

/** One message is one offence, however many drivers are asked. */
function afterFailure(order: Order): Order {
  const { escalation } = order;
  return escalation === undefined
    ? order
    : { ...order, escalation: { ...escalation, counted: true } };
}

/** Whether the driver has failed for good: it holds nothing of it, and the journal says so. */
function isOver({ journal, isStopping }: Ways, order: Order, error: unknown): boolean {
  return (
    error instanceof ArError &&
    troubles.has(error.code) &&
    !isStopping() &&
    journal.holder(order.response, order.target.text) === undefined
  );
}

/** Whoever asked is told of all that were tried. */
function withFormer(error: unknown, former: unknown, { driver }: Instance): unknown {
  if (!(error instanceof ArError && former instanceof ArError)) return error;
  const message = `${error.message}; before that, by ${driver}: ${former.message}`;
  return new ArError(error.code, message, error.hint, { cause: error });
}
