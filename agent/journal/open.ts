import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ArError } from '../errors.ts';
import { migrate, readVersion } from './schema.ts';

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
  const file = journalFile(stateFolder);
  const existed = existsSync(file);
  let database: DatabaseSync | undefined;
  try {
    if (existed) inspect(file, waitMs);
    database = new DatabaseSync(file, { timeout: waitMs });
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    // Takes the lock now: a plain read would only take it for a moment.
    database.exec('BEGIN IMMEDIATE; COMMIT');
    const empty = migrate(database, file);
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    database.exec('PRAGMA temp_store = MEMORY');
    database.exec('PRAGMA journal_size_limit = 67108864');
    // 32 MB of log before a commit has to wait for a checkpoint; a quiet moment makes one before.
    database.exec('PRAGMA wal_autocheckpoint = 8192');
    database.exec('PRAGMA cache_size = -16384');
    return { database, file, isNew: empty };
  } catch (error) {
    database?.close();
    throw translate(error, file);
  }
}

/**
 * Refuses a file that is no journal, without the right to write to it: a connection that has it
 * writes into a damaged file what the log beside it (-wal) holds, as soon as it is closed.
 */
function inspect(file: string, waitMs: number): void {
  const database = new DatabaseSync(file, { readOnly: true, timeout: waitMs });
  try {
    const answer = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})[0];
    if (answer !== 'ok') throw damaged(file, String(answer));
    readVersion(database, file);
  } finally {
    database.close();
  }
}

function translate(error: unknown, file: string): ArError {
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

function damaged(file: string, said: string, cause?: unknown): ArError {
  return new ArError(
    'journal-damaged',
    `${file} cannot be read as a journal: ${said}`,
    'Nothing was overwritten. Restore it from a copy, or run "ar-exec journal rebuild": it puts the file aside and makes a new journal from what the machine holds.',
    cause === undefined ? undefined : { cause },
  );
}

function sqliteCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined;
  return Number(error.errcode) & 0xff;
}
