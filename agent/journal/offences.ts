import type { DatabaseSync } from 'node:sqlite';
import type { Escalation, Order } from '../words.ts';

/** How often a target has set off a response, and when last. Times are milliseconds since 1970. */
export interface Offences {
  /**
   * Counts what an order stands for, and returns for how many seconds it is held: the longest that any
   * of its messages asks for. Runs in the transaction that is open.
   */
  count(order: Order, escalation: Escalation, now: number): number | undefined;
  /** How often it was counted; 0 if never, or forgotten. */
  of(response: string, offender: string): number;
  /** Forgets those without an offence since then. */
  forget(before: number): void;
  /** The wall clock was moved. */
  shift(byMs: number): void;
}

interface Row {
  readonly count: number;
  readonly last_at: number;
}

export function createOffences(database: DatabaseSync): Offences {
  const find = database.prepare(
    'SELECT count, last_at FROM offences WHERE response = ? AND offender = ?',
  );
  const write = database.prepare(
    `INSERT INTO offences (response, offender, count, last_at) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT DO UPDATE SET count = ?3, last_at = ?4`,
  );
  const forget = database.prepare('DELETE FROM offences WHERE last_at < ?');
  const shift = database.prepare('UPDATE offences SET last_at = last_at + ?');
  const read = (response: string, offender: string): Row | undefined =>
    find.get(response, offender) as Row | undefined;

  return {
    count: (order, escalation, now) => {
      const { offender, messages, forgetAfterMs, counted } = escalation;
      const row = read(order.response, offender);
      const isForgotten = row === undefined || now - row.last_at >= forgetAfterMs;
      const before = isForgotten ? 0 : row.count;
      const last = counted === true ? Math.max(before, messages) : before + messages;
      write.run(order.response, offender, last, now);
      return longest(order.timeoutSeconds, escalation.steps, last - messages + 1, last);
    },
    of: (response, offender) => read(response, offender)?.count ?? 0,
    forget: (before) => void forget.run(before),
    shift: (byMs) => void shift.run(byMs),
  };
}

/** The first offence has the order's own time, the next ones the steps, in their order, staying on the last. */
function longest(
  own: number | undefined,
  steps: readonly number[],
  first: number,
  last: number,
): number | undefined {
  const times = [own ?? Number.POSITIVE_INFINITY, ...steps];
  const from = Math.min(first, times.length) - 1;
  const seconds = Math.max(...times.slice(from, Math.max(last, from + 1)));
  return Number.isFinite(seconds) ? seconds : undefined;
}
