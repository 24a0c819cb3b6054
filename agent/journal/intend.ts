import type { DatabaseSync } from 'node:sqlite';
import type { Memory } from '../../platform/driver.ts';
import type { Action, Intent, Order } from '../words.ts';
import type { Instances } from './instances.ts';
import type { Offences } from './offences.ts';
import { type Row, toAction } from './rows.ts';

/** Makes the function that turns one order into an intent, writing it down; runs in a transaction. */
export function createIntender(
  database: DatabaseSync,
  instances: Instances,
  offences: Pick<Offences, 'count'>,
  wasForgotten: (target: string) => boolean,
): (order: Order, now: number) => Intent {
  const holders = database.prepare('SELECT * FROM actions WHERE target = ? AND ended_at IS NULL');
  const insert = database.prepare(
    `INSERT INTO actions
       (response, target, instance, state, created_at, deadline_at, due_at, origin, manager_line,
        kind, memory, facts, pre_existing)
     VALUES (?1, ?2, ?3, 'intended', ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`,
  );
  const refresh = database.prepare(
    `UPDATE actions SET state = ?, deadline_at = ?2, due_at = ?2, origin = ?, manager_line = ?,
       trouble = NULL, attempts = 0 WHERE id = ?`,
  );
  const revert = database.prepare(
    `UPDATE actions SET state = 'reverting', due_at = ? WHERE id = ?`,
  );

  const restore = (row: Row): Action => toAction(row, instances.byNumber(row.instance));
  const othersOf = (order: Order, same: Row | undefined, rows: readonly Row[]): Row[] => {
    const instance = same?.instance ?? instances.numberOf(order.instance);
    return rows.filter((row) => row !== same && row.instance === instance);
  };

  const add = (order: Order, now: number, same: Row | undefined, others: Row[]): Intent => {
    const { escalation } = order;
    const seconds =
      escalation === undefined ? order.timeoutSeconds : offences.count(order, escalation, now);
    const asked = seconds === undefined ? null : now + seconds * 1_000;
    if (same === undefined) {
      // One effect, one memory: whoever ends last takes it back with what was found before the first.
      const holder = others.find((row) => row.memory !== null);
      const memory = holder?.memory ?? null;
      const preExisting = holder?.pre_existing ?? 0;
      const { lastInsertRowid } = insert.run(
        order.response,
        order.target.text,
        instances.numberOf(order.instance),
        now,
        asked,
        JSON.stringify(order.origin),
        order.managerLine ?? null,
        order.target.kind,
        memory,
        order.facts === undefined ? null : JSON.stringify(order.facts),
        preExisting,
      );
      const id = Number(lastInsertRowid);
      const fresh = newAction(id, order, now, asked, memory);
      const action = preExisting === 1 ? { ...fresh, preExisting: true } : fresh;
      const effect = effectOf(asked, others);
      // Whoever took it over may have left it standing.
      const uncertain = effect.uncertain || (!effect.standing && wasForgotten(order.target.text));
      return {
        kind: 'apply',
        order,
        action,
        isNew: true,
        refreshed: false,
        ...effect,
        uncertain,
      };
    }
    const deadline = same.state === 'reverting' ? asked : later(same.deadline_at, asked);
    if (same.state === 'active' && deadline === same.deadline_at) {
      return { kind: 'keep', order, action: restore(same) };
    }
    const state = same.state === 'reverting' ? 'intended' : same.state;
    // A person who extends a manager's block says nothing of its rule, and its end stays its business.
    const origin = JSON.stringify({
      ...JSON.parse(same.origin),
      ...JSON.parse(JSON.stringify(order.origin)),
    });
    const managerLine = order.managerLine ?? same.manager_line;
    refresh.run(state, deadline, origin, managerLine, same.id);
    const row = { ...same, state, deadline_at: deadline, origin, manager_line: managerLine };
    return {
      kind: 'apply',
      order,
      action: restore(row),
      isNew: false,
      refreshed: same.state === 'active',
      ...effectOf(deadline, others, same),
    };
  };

  const remove = (order: Order, now: number, same: Row | undefined, others: Row[]): Intent => {
    if (same === undefined) return { kind: 'absent', order };
    if (order.onlyWhenDue === true && (same.due_at === null || same.due_at > now)) {
      return { kind: 'absent', order };
    }
    const action = restore(same);
    const heldBy = others.filter(holds).map((row) => row.response);
    if (order.forget === true || heldBy.length > 0 || same.pre_existing === 1) {
      return { kind: 'release', order, action, heldBy };
    }
    revert.run(now, same.id);
    return { kind: 'revert', order, action: { ...action, state: 'reverting' } };
  };

  return (order, now) => {
    const rows = holders.all(order.target.text) as unknown as Row[];
    const same = rows.find((row) => row.response === order.response);
    if (same !== undefined && same.instance !== instances.find(order.instance)) {
      if (order.onlyWhenDue === true) return { kind: 'absent', order };
      return { kind: 'elsewhere', order, action: restore(same) };
    }
    const others = rows.length === 0 ? rows : othersOf(order, same, rows);
    return order.verb === 'add' ? add(order, now, same, others) : remove(order, now, same, others);
  };
}

/** No deadline is later than any. */
function later(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}

/** Whether an action wants its effect to stand. */
function holds(row: Row): boolean {
  return row.state !== 'reverting';
}

/** The effect ends when the last of its holders does; it stands if one of them is known to have it. */
function effectOf(deadline: number | null, others: readonly Row[], same?: Row) {
  if (others.length === 0 && same === undefined) {
    return { endsAt: deadline ?? undefined, standing: false, uncertain: false };
  }
  const endsAt = others.filter(holds).reduce((end, row) => later(end, row.deadline_at), deadline);
  const rows = same === undefined ? others : [...others, same];
  const standing = rows.some((row) => row.state === 'active' && row.pre_existing === 0);
  return { endsAt: endsAt ?? undefined, standing, uncertain: rows.length > 0 && !standing };
}

function newAction(
  id: number,
  order: Order,
  now: number,
  deadline: number | null,
  memory: string | null,
): Action {
  return {
    id,
    response: order.response,
    target: order.target,
    instance: order.instance,
    state: 'intended',
    createdAt: now,
    deadlineAt: deadline ?? undefined,
    origin: order.origin,
    preExisting: false,
    attempts: 0,
    managerLine: order.managerLine,
    memory: memory === null ? undefined : (JSON.parse(memory) as Memory),
    facts: order.facts,
  };
}
