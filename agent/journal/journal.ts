import type { DatabaseSync } from 'node:sqlite';
import type { Memory } from '../../platform/driver.ts';
import type { Target } from '../../platform/target.ts';
import { ArError } from '../errors.ts';
import type { Action, Adoption, Change, Instance, Intent, Order } from '../words.ts';
import { createInstances } from './instances.ts';
import { createIntender } from './intend.ts';
import { createOffences } from './offences.ts';
import { closeDatabase, type OpenedDatabase, openDatabase } from './open.ts';
import { createPositions, type Positions } from './position.ts';
import { type Counts, createReader, type HeldTarget } from './read.ts';
import { createRekeyer, type Rekeying } from './rekey.ts';
import { createSettler, isOver } from './settle.ts';

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
  /** Writes down what live actions of an instance will be taken back with, all that share an effect. */
  remember(instance: Instance, found: readonly Remembered[]): void;
  /** Writes down that an action is about something else; its changes come first. */
  rekey(rekeying: Rekeying, now: number): void;
  /** The live action for a response and a target. */
  holder(response: string, target: string): Action | undefined;
  /** Live actions of one driver instance. */
  heldBy(instance: Instance): Action[];
  holdsAny(instance: Instance): boolean;
  /** How many targets an instance keeps in force by itself, whose time is not over. */
  standing(instance: Instance, now: number): number;
  /** Targets of an instance that a person took over with `--forget`. */
  forgotten(instance: Instance): ReadonlySet<string>;
  /** Driver instances that have live actions. */
  instances(): Instance[];
  /** Those of which actions have ended since a time, in milliseconds since 1970. */
  endedInstances(since: number): Instance[];
  /** Which responses have live actions, of which instances. */
  holdings(): { readonly response: string; readonly instance: Instance }[];
  /** Live actions of an instance whose time has come, soonest first. */
  due(instance: Instance, now: number, limit: number): Action[];
  /** When an action is due next; those that somebody is at work on can be left out, by their ids. */
  nextDueAt(instance: Instance, except?: ReadonlySet<number>): number | undefined;
  /** Live actions, or those that are over, newest first. */
  list(which: 'live' | 'ended', limit: number): Action[];
  counts(): Counts;
  /** How many actions are live; costs nothing. */
  liveCount(): number;
  /** How many of them alerts asked for; looks at each of them. */
  countByAlerts(): number;
  /** What live actions are about that have to do with addresses, and that nobody insisted on. */
  heldTargets(): HeldTarget[];
  /** The actions that were made last, over or not, the newest first. */
  lastMade(limit: number): Action[];
  /** How often a target has set off a response that repeated offenders get for longer. */
  offencesOf(response: string, target: string): number;
  /** Forgets offenders of whom nothing was heard since then. */
  forgetOffences(before: number): void;
  /** How far files that are followed have been read. */
  readonly positions: Positions;
  /** Moves all deadlines, because the wall clock was moved. */
  shiftDeadlines(byMs: number): void;
  /** Forgets actions that ended before `endedBefore`, and all but the last `keep`. */
  prune(endedBefore: number, keep: number): number;
  /** Moves what is in the log into the file, for a quiet moment. */
  checkpoint(): void;
  /**
   * Something that had been written down may be missing here: what no action explains is nobody's to
   * take away.
   */
  isPartial(): boolean;
  close(): void;
}

/** What was found of a target before it was acted on. */
interface Remembered {
  readonly target: Target;
  readonly memory: Memory;
  /** It is so already, and not by us. */
  readonly preExisting?: boolean | undefined;
}

/** Opens the journal for this process alone. Throws as `openDatabase` does. */
export function openJournal(stateFolder: string, waitMs = 0): Journal {
  return createJournal(openDatabase(stateFolder, waitMs));
}

export function createJournal({ database, file, isNew, isIncomplete }: OpenedDatabase): Journal {
  const instances = createInstances(database);
  const forgotten = createForgotten(database);
  const offences = createOffences(database);
  const positions = createPositions(database);
  const intend = createIntender(database, instances, offences, forgotten.has);
  const settle = createSettler(database);
  const rekey = createRekeyer(database);
  const read = createReader(database, instances);
  const countLive = database.prepare('SELECT count(*) AS n FROM actions WHERE ended_at IS NULL');
  let live = Number(countLive.get()?.['n']);
  const transaction = <Result>(work: () => Result): Result => {
    const before = live;
    try {
      return inTransaction(database, file, work);
    } catch (error) {
      live = before;
      instances.reload();
      throw error;
    }
  };
  const insertAdopted = database.prepare(
    `INSERT INTO actions
       (response, target, instance, state, created_at, deadline_at, due_at, origin, kind, memory)
     VALUES (?1, ?2, ?3, 'active', ?4, ?5, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING`,
  );
  const remember = database.prepare(
    `UPDATE actions SET memory = ?, pre_existing = ?
     WHERE target = ? AND instance = ? AND ended_at IS NULL`,
  );
  const shift = database.prepare(
    'UPDATE actions SET deadline_at = deadline_at + ?1, due_at = due_at + ?1 WHERE ended_at IS NULL',
  );
  const prune = database.prepare(
    // The newest row stays: the next id follows it, and no id is ever given twice.
    `DELETE FROM actions WHERE ended_at IS NOT NULL AND state <> 'forgotten'
       AND id < (SELECT max(id) FROM actions)
       AND (ended_at < ?1 OR id <= (
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
        settle(changes, now);
        for (const change of changes) if (isOver(change.state)) live -= 1;
      });
      if (changes.some(({ state }) => state === 'forgotten')) forgotten.reload();
    },
    adopt: (adoptions, now) =>
      transaction(() => {
        for (const one of adoptions) {
          const number = instances.numberOf(one.instance);
          const origin = JSON.stringify({ dialect: 'recovered', reason: one.reason });
          const { kind, text } = one.target;
          const memory = one.memory === undefined ? null : JSON.stringify(one.memory);
          const row = [one.response, text, number, now, one.deadlineAt ?? null, origin];
          live += Number(insertAdopted.run(...row, kind, memory).changes);
        }
      }),
    remember: (instance, found) =>
      transaction(() => {
        const number = instances.find(instance);
        for (const { target, memory, preExisting = false } of found) {
          remember.run(JSON.stringify(memory), Number(preExisting), target.text, number);
        }
      }),
    rekey: (rekeying, now) =>
      transaction(() => {
        const { changes = [] } = rekeying;
        settle(changes, now);
        for (const change of changes) if (isOver(change.state)) live -= 1;
        rekey(rekeying);
      }),
    offencesOf: offences.of,
    forgetOffences: (before) => transaction(() => offences.forget(before)),
    positions: {
      ...positions,
      save: (...of) => transaction(() => positions.save(...of)),
    },
    shiftDeadlines: (byMs) =>
      transaction(() => {
        shift.run(Math.round(byMs));
        offences.shift(Math.round(byMs));
      }),
    prune: (endedBefore, keep) => transaction(() => Number(prune.run(endedBefore, keep).changes)),
    isPartial: () => false,
    checkpoint: () => database.exec('PRAGMA wal_checkpoint(PASSIVE)'),
    close: () => {
      // What was lost is still to be looked for by an agent.
      if (isIncomplete) database.close();
      else closeDatabase(database);
    },
  };
}

/** Targets that were ever forgotten: few, and asked for with every new action. */
function createForgotten(database: DatabaseSync) {
  const all = database.prepare(`SELECT DISTINCT target FROM actions WHERE state = 'forgotten'`);
  let targets = new Set<string>();
  const reload = (): void => {
    targets = new Set((all.all() as { target: string }[]).map(({ target }) => target));
  };
  reload();
  return { has: (target: string): boolean => targets.has(target), reload };
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
