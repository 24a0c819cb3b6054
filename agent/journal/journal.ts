import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { ArError } from '../errors.ts';
import type { Action, ActionState, Adoption, Change, Instance, Intent, Order } from '../words.ts';
import { createIntender } from './intend.ts';
import { type OpenedDatabase, openDatabase } from './open.ts';
import { type Row, settingsText, toAction } from './rows.ts';

export interface Counts {
  readonly active: number;
  readonly intended: number;
  readonly missing: number;
  readonly reverting: number;
}

/**
 * The durable record of what was asked, done and taken back. Every method that writes is one
 * transaction that is on disk when it returns; they are synchronous on purpose, and take batches.
 * All of them throw `journal-failed` when the disk does not take it.
 */
export interface Journal {
  readonly file: string;
  readonly isNew: boolean;
  /** Writes down what is about to be done for each order. */
  intend(orders: readonly Order[], now: number): Intent[];
  /** Writes down what became of it. */
  settle(changes: readonly Change[], now: number): void;
  adopt(adoptions: readonly Adoption[], now: number): void;
  /** The live action for a response and a target. */
  holder(response: string, target: string): Action | undefined;
  /** Live actions of one driver instance. */
  heldBy(instance: Instance): Action[];
  holdsAny(instance: Instance): boolean;
  /** Driver instances that have live actions. */
  instances(): Instance[];
  /** Live actions of an instance whose time has come, soonest first. */
  due(instance: Instance, now: number, limit: number): Action[];
  nextDueAt(instance: Instance): number | undefined;
  /** Live actions, or those that are over, newest first. */
  list(which: 'live' | 'ended', limit: number): Action[];
  counts(): Counts;
  /** How many actions are live; costs nothing. */
  liveCount(): number;
  /** Moves all deadlines, because the wall clock was moved. */
  shiftDeadlines(byMs: number): void;
  /** Forgets actions that ended before `endedBefore`, and all but the last `keep`. */
  prune(endedBefore: number, keep: number): number;
  close(): void;
}

/** Opens the journal for this process alone. Throws as `openDatabase` does. */
export function openJournal(stateFolder: string, waitMs = 0): Journal {
  return createJournal(openDatabase(stateFolder, waitMs));
}

function createJournal({ database, file, isNew }: OpenedDatabase): Journal {
  const intend = createIntender(database);
  const settle = createSettler(database);
  const read = createReader(database);
  const countLive = database.prepare('SELECT count(*) AS n FROM actions WHERE ended_at IS NULL');
  let live = Number(countLive.get()?.['n']);
  const transaction = <Result>(work: () => Result): Result => {
    const before = live;
    try {
      return inTransaction(database, file, work);
    } catch (error) {
      live = before;
      throw error;
    }
  };
  const insertAdopted = database.prepare(
    `INSERT INTO actions (response, target, driver, settings, state, created_at, deadline_at, due_at, origin)
     VALUES (?, ?, ?, ?, 'active', ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const shift = database.prepare(
    'UPDATE actions SET deadline_at = deadline_at + ?1, due_at = due_at + ?1 WHERE ended_at IS NULL',
  );
  const prune = database.prepare(
    `DELETE FROM actions WHERE ended_at IS NOT NULL AND (ended_at < ?1 OR id <= (
       SELECT id FROM actions WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?2))`,
  );

  return {
    file,
    isNew,
    ...read,
    liveCount: () => live,
    intend: (orders, now) =>
      transaction(() => {
        const intents = orders.map((order) => intend(order, now));
        for (const intent of intents) if (intent.kind === 'apply' && intent.isNew) live += 1;
        return intents;
      }),
    settle: (changes, now) => {
      if (changes.length === 0) return;
      transaction(() => {
        for (const change of changes) {
          settle(change, now);
          if (isOver(change.state)) live -= 1;
        }
      });
    },
    adopt: (adoptions, now) =>
      transaction(() => {
        for (const one of adoptions) {
          const deadline = one.deadlineAt ?? null;
          const origin = JSON.stringify({ dialect: 'recovered', reason: one.reason });
          const { driver } = one.instance;
          const settings = settingsText(one.instance);
          const row = [one.response, one.target, driver, settings, now, deadline, deadline, origin];
          live += Number(insertAdopted.run(...row).changes);
        }
      }),
    shiftDeadlines: (byMs) => transaction(() => shift.run(Math.round(byMs))),
    prune: (endedBefore, keep) => transaction(() => Number(prune.run(endedBefore, keep).changes)),
    close: () => database.close(),
  };
}

function isOver(state: ActionState): boolean {
  return state === 'reverted' || state === 'failed' || state === 'forgotten';
}

function createSettler(database: DatabaseSync) {
  const update = database.prepare(
    `UPDATE actions SET
       state = ?1,
       ended_at = CASE WHEN ?1 IN ('reverted', 'failed', 'forgotten') THEN ?2 END,
       due_at = CASE WHEN ?1 = 'reverting' THEN ?3 ELSE deadline_at END,
       pre_existing = coalesce(?4, pre_existing),
       trouble = ?5,
       attempts = CASE WHEN ?6 THEN attempts + 1 ELSE attempts END
     WHERE id = ?7`,
  );
  return (change: Change, now: number): void => {
    update.run(
      change.state,
      now,
      change.dueAt ?? now,
      change.preExisting === undefined ? null : Number(change.preExisting),
      change.trouble ?? null,
      Number(change.triedAgain ?? false),
      change.id,
    );
  };
}

function createReader(database: DatabaseSync) {
  const instanceIs = 'driver = ? AND settings = ? AND ended_at IS NULL';
  const holder = database.prepare(
    'SELECT * FROM actions WHERE target = ? AND response = ? AND ended_at IS NULL',
  );
  const heldBy = database.prepare(`SELECT * FROM actions WHERE ${instanceIs} ORDER BY id`);
  const any = database.prepare(`SELECT 1 FROM actions WHERE ${instanceIs} LIMIT 1`);
  const instances = database.prepare(
    'SELECT DISTINCT driver, settings FROM actions WHERE ended_at IS NULL',
  );
  const due = database.prepare(
    `SELECT * FROM actions WHERE ${instanceIs} AND due_at <= ? ORDER BY due_at LIMIT ?`,
  );
  const nextDue = database.prepare(
    `SELECT due_at FROM actions WHERE ${instanceIs} AND due_at IS NOT NULL ORDER BY due_at LIMIT 1`,
  );
  const live = database.prepare(
    'SELECT * FROM actions WHERE ended_at IS NULL ORDER BY id DESC LIMIT ?',
  );
  const ended = database.prepare(
    'SELECT * FROM actions WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT ?',
  );
  const count = database.prepare(
    'SELECT state, count(*) AS number FROM actions WHERE ended_at IS NULL GROUP BY state',
  );
  const actions = (rows: readonly unknown[]): Action[] => (rows as Row[]).map(toAction);
  const key = (instance: Instance): SQLInputValue[] => [instance.driver, settingsText(instance)];

  return {
    holder: (response: string, target: string): Action | undefined =>
      actions(holder.all(target, response))[0],
    heldBy: (instance: Instance): Action[] => actions(heldBy.all(...key(instance))),
    holdsAny: (instance: Instance): boolean => any.get(...key(instance)) !== undefined,
    instances: (): Instance[] =>
      (instances.all() as unknown as Row[]).map((row) => ({
        driver: row.driver,
        settings: JSON.parse(row.settings),
      })),
    due: (instance: Instance, now: number, limit: number): Action[] =>
      actions(due.all(...key(instance), now, limit)),
    nextDueAt: (instance: Instance): number | undefined =>
      (nextDue.get(...key(instance)) as { due_at: number } | undefined)?.due_at,
    list: (which: 'live' | 'ended', limit: number): Action[] =>
      actions((which === 'live' ? live : ended).all(limit)),
    counts: (): Counts => {
      const counts = { active: 0, intended: 0, missing: 0, reverting: 0 };
      for (const row of count.all() as { state: keyof Counts; number: number }[]) {
        counts[row.state] = row.number;
      }
      return counts;
    },
  };
}

function inTransaction<Result>(database: DatabaseSync, file: string, work: () => Result): Result {
  try {
    database.exec('BEGIN IMMEDIATE');
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    try {
      if (database.isTransaction) database.exec('ROLLBACK');
    } catch {
      // What went wrong first is what counts.
    }
    throw new ArError(
      'journal-failed',
      `cannot write ${file}: ${error instanceof Error ? error.message : String(error)}`,
      'Nothing was done that is not written down. Check the disk (room, read-only, errors), then ask again.',
      { cause: error },
    );
  }
}
