import type { DatabaseSync } from 'node:sqlite';
import type { Action, Instance } from '../words.ts';
import type { Instances } from './instances.ts';
import { isSoundRow, type Row, toAction } from './rows.ts';

/** How many live actions there are, by state. */
export interface Counts {
  readonly active: number;
  readonly intended: number;
  readonly missing: number;
  readonly reverting: number;
}

/** What a live action is about, as it stands in the journal. */
export interface HeldTarget {
  readonly response: string;
  readonly kind: 'address' | 'named';
  readonly target: string;
  /** What the alert says, unchecked. */
  readonly srcip: string | null;
}

const none: ReadonlySet<number> = new Set();

/** Everything that is asked of the journal; changes nothing. */
export function createReader(database: DatabaseSync, instances: Instances) {
  const live = 'ended_at IS NULL';
  const holder = database.prepare(
    `SELECT * FROM actions WHERE target = ? AND response = ? AND ${live}`,
  );
  const heldBy = database.prepare(
    `SELECT * FROM actions WHERE instance = ? AND ${live} ORDER BY id`,
  );
  const any = database.prepare(`SELECT 1 FROM actions WHERE instance = ? AND ${live} LIMIT 1`);
  const standing = database.prepare(
    `SELECT count(DISTINCT target) AS number FROM actions
     WHERE instance = ?1 AND ${live} AND state = 'active' AND pre_existing = 0
       AND (deadline_at IS NULL OR deadline_at > ?2)`,
  );
  const forgotten = database.prepare(
    `SELECT target FROM actions WHERE state = 'forgotten' AND instance = ?`,
  );
  const inUse = database.prepare(`SELECT DISTINCT instance FROM actions WHERE ${live}`);
  const endedSince = database.prepare('SELECT DISTINCT instance FROM actions WHERE ended_at >= ?');
  const holdings = database.prepare(
    `SELECT DISTINCT response, instance FROM actions WHERE ${live}`,
  );
  const due = database.prepare(
    `SELECT * FROM actions WHERE instance = ? AND ${live} AND due_at <= ? ORDER BY due_at LIMIT ?`,
  );
  const nextDue = database.prepare(
    `SELECT id, due_at FROM actions WHERE instance = ? AND ${live} AND due_at IS NOT NULL
     ORDER BY due_at LIMIT ?`,
  );
  const newest = database.prepare(`SELECT * FROM actions WHERE ${live} ORDER BY id DESC LIMIT ?`);
  const ended = database.prepare(
    'SELECT * FROM actions WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT ?',
  );
  const count = database.prepare(
    `SELECT state, count(*) AS number FROM actions WHERE ${live} GROUP BY state`,
  );
  const byAlerts = database.prepare(
    `SELECT count(*) AS n FROM actions
     WHERE ${live} AND json_extract(origin, '$.dialect') NOT IN ('native', 'recovered')`,
  );
  const targets = database.prepare(
    `SELECT response, kind, target, json_extract(facts, '$.srcip') AS srcip FROM actions
     WHERE ${live} AND kind IN ('address', 'named') AND state <> 'reverting'
       AND json_extract(origin, '$.forced') IS NULL`,
  );
  const last = database.prepare('SELECT * FROM actions ORDER BY id DESC LIMIT ?');
  // What is over is not looked at when the file is opened: there may be years of it.
  const sound = (rows: readonly unknown[]): Row[] => (rows as Row[]).filter(isSoundRow);
  const actions = (rows: readonly unknown[]): Action[] =>
    (rows as Row[]).map((row) => toAction(row, instances.byNumber(row.instance)));

  return {
    holder: (response: string, target: string): Action | undefined => {
      const row = holder.get(target, response);
      return row === undefined ? undefined : actions([row])[0];
    },
    heldBy: (instance: Instance): Action[] => actions(heldBy.all(instances.find(instance))),
    holdsAny: (instance: Instance): boolean => any.get(instances.find(instance)) !== undefined,
    standing: (instance: Instance, now: number): number =>
      Number(standing.get(instances.find(instance), now)?.['number']),
    forgotten: (instance: Instance): ReadonlySet<string> =>
      new Set(
        (forgotten.all(instances.find(instance)) as unknown as Row[]).map((row) => row.target),
      ),
    instances: (): Instance[] =>
      (inUse.all() as { instance: number }[]).map((row) => instances.byNumber(row.instance)),
    endedInstances: (since: number): Instance[] =>
      (endedSince.all(since) as { instance: number }[]).map((row) =>
        instances.byNumber(row.instance),
      ),
    holdings: (): { response: string; instance: Instance }[] =>
      (holdings.all() as { response: string; instance: number }[]).map((row) => ({
        response: row.response,
        instance: instances.byNumber(row.instance),
      })),
    due: (instance: Instance, now: number, limit: number): Action[] =>
      actions(due.all(instances.find(instance), now, limit)),
    nextDueAt: (instance: Instance, except: ReadonlySet<number> = none): number | undefined =>
      (
        nextDue.all(instances.find(instance), except.size + 1) as { id: number; due_at: number }[]
      ).find(({ id }) => !except.has(id))?.due_at,
    list: (which: 'live' | 'ended', limit: number): Action[] =>
      which === 'live' ? actions(newest.all(limit)) : actions(sound(ended.all(limit))),
    heldTargets: (): HeldTarget[] => targets.all() as unknown as HeldTarget[],
    countByAlerts: (): number => Number(byAlerts.get()?.['n']),
    lastMade: (limit: number): Action[] => actions(sound(last.all(limit))),
    counts: (): Counts => {
      const counts = { active: 0, intended: 0, missing: 0, reverting: 0 };
      for (const row of count.all() as { state: keyof Counts; number: number }[]) {
        counts[row.state] = row.number;
      }
      return counts;
    },
  };
}
