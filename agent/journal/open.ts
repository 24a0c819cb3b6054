import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ArError } from '../errors.ts';
import { isSoundRow, type Row } from './rows.ts';
import { damaged, migrate, readVersion } from './schema.ts';
import { readWal } from './wal.ts';

/** Primary result codes of SQLite (https://www.sqlite.org/rescode.html). */
const busy = 5;
const corrupt = 11;
const notADatabase = 26;

/** In place of a state folder: a journal that is gone with the process. */
const inMemory = ':memory:';

export function journalFile(stateFolder: string): string {
  return stateFolder === inMemory ? inMemory : join(stateFolder, 'journal.db');
}

export interface OpenedDatabase {
  readonly database: DatabaseSync;
  readonly file: string;
  /** There was no journal before: what the machine holds of ours has no owner yet. */
  readonly isNew: boolean;
  /** Something that had been written down is not there any more, and nobody knows what. */
  readonly isIncomplete: boolean;
}

/**
 * Opens the journal in `stateFolder` for this process alone, or makes a new one.
 *
 * The file's own lock is what keeps a second agent out; the kernel lets go of it when the process
 * dies, however it dies. A file that cannot be read is left as it is.
 *
 * Throws `journal-locked`, `journal-damaged`, `journal-newer` or `journal-failed`.
 */
export function openDatabase(stateFolder: string, waitMs = 0): OpenedDatabase {
  return openFile(journalFile(stateFolder), waitMs);
}

/** Throws as `openDatabase` does, and writes nothing that tells of an opening. */
export function checkDatabase(stateFolder: string): void {
  openFile(journalFile(stateFolder), 0, false).database.close();
}

export function openFile(file: string, waitMs = 0, begins = true): OpenedDatabase {
  const existed = existsSync(file);
  let database: DatabaseSync | undefined;
  try {
    const log = readLog(file, existed);
    if (existsSync(`${file}-journal`)) rollBack(file, waitMs);
    if (existed) inspect(file, waitMs);
    database = new DatabaseSync(file, { timeout: waitMs });
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    // Takes the lock now: a plain read would only take it for a moment.
    database.exec('BEGIN IMMEDIATE; COMMIT');
    const empty = migrate(database, file);
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA temp_store = MEMORY');
    database.exec('PRAGMA journal_size_limit = 67108864');
    // 32 MB of log before a commit has to wait for a checkpoint; a quiet moment makes one before.
    database.exec('PRAGMA wal_autocheckpoint = 8192');
    database.exec('PRAGMA cache_size = -16384');
    const wasClosed = database.prepare('SELECT closed FROM life').get()?.['closed'] !== 0;
    if (begins) setClosed(database, false);
    const isIncomplete = log === 'torn' || (log === 'none' && !wasClosed);
    return { database, file, isNew: empty, isIncomplete };
  } catch (error) {
    database?.close();
    throw translate(error, file);
  }
}

export function closeDatabase(database: DatabaseSync): void {
  setClosed(database, true);
  database.close();
}

/**
 * In the file itself, and not in its log alone: what is told by it is that the log is gone. The number
 * of starts has something written in any case, so that there is a log. What moves it into the file has
 * the log on disk first, so that writing it down need not wait for that too.
 */
function setClosed(database: DatabaseSync, closed: boolean): void {
  const set = `closed = ${Number(closed)}, starts = starts + ${Number(!closed)}`;
  try {
    database.exec(`PRAGMA synchronous = NORMAL; UPDATE life SET ${set}`);
    // Closing does it by itself.
    if (!closed) database.exec('PRAGMA wal_checkpoint(PASSIVE)');
  } catch {
    // A disk that is full: what has to be written says so itself.
  } finally {
    database.exec('PRAGMA synchronous = FULL');
  }
}

/** What SQLite will not say of the log: it takes what is damaged for the end of it. */
function readLog(file: string, existed: boolean): 'none' | 'whole' | 'torn' {
  const name = `${file}-wal`;
  const wal = existsSync(name) ? readWal(readFileSync(name)) : undefined;
  if (wal === undefined) return 'none';
  if (!existed) throw damaged(file, 'the file is gone, and the log beside it is not');
  if (wal.state === 'damaged') throw damaged(file, 'the log beside it is damaged');
  return wal.state;
}

/** The power went while the file was made, before it had a log: to open it takes that back. */
function rollBack(file: string, waitMs: number): void {
  const database = new DatabaseSync(file, { timeout: waitMs });
  try {
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
  } finally {
    database.close();
  }
}

/**
 * Refuses a file that is no journal, without the right to write to it: a connection that has it
 * writes into a damaged file what the log beside it (-wal) holds, as soon as it is closed.
 */
function inspect(file: string, waitMs: number): void {
  const database = new DatabaseSync(file, { readOnly: true, timeout: waitMs });
  try {
    const answer = Object.values(database.prepare('PRAGMA integrity_check(1)').get() ?? {})[0];
    if (answer !== 'ok') throw damaged(file, String(answer));
    if (!readVersion(database, file).empty) inspectRows(database, file);
  } finally {
    database.close();
  }
}

/** SQLite knows which pages fit together, and not what a row may say. */
function inspectRows(database: DatabaseSync, file: string): void {
  const numbers = new Set<number>();
  for (const { id, settings } of database.prepare('SELECT id, settings FROM instances').all()) {
    try {
      JSON.parse(String(settings));
    } catch (error) {
      throw damaged(file, `what it says of instance ${id} cannot be understood`, error);
    }
    numbers.add(Number(id));
  }
  const live = database.prepare('SELECT * FROM actions WHERE ended_at IS NULL');
  for (const row of live.iterate() as Iterable<unknown>) {
    const { id, instance, kind = 'address', memory = null, facts = null, ...rest } = row as Row;
    // What an older version wrote has fewer columns.
    if (isSoundRow({ ...rest, id, instance, kind, memory, facts }) && numbers.has(instance))
      continue;
    throw damaged(file, `what it says of action ${id} cannot be understood`);
  }
}

/** Whether an error says that the file is damaged. */
export function isDamage(error: unknown): boolean {
  const code = sqliteCode(error instanceof ArError ? error.cause : error);
  return code === corrupt || code === notADatabase;
}

export function translate(error: unknown, file: string): ArError {
  if (error instanceof ArError) return error;
  const code = sqliteCode(error);
  const said = error instanceof Error ? error.message : String(error);
  if (code === busy) {
    return new ArError(
      'journal-locked',
      `${file} is in use by another ar-exec`,
      'Ask the running agent (leave out --direct), or stop it first.',
      { cause: error },
    );
  }
  if (code === corrupt || code === notADatabase) return damaged(file, said, error);
  return new ArError(
    'journal-failed',
    `cannot open ${file}: ${said}`,
    'Check that the state folder exists, is writable for this user and has room.',
    { cause: error },
  );
}

function sqliteCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined;
  return Number(error.errcode) & 0xff;
}
