/** Puts a damaged journal aside, and makes a new one in its place from what can be read of it. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { closeDatabase, openFile } from './open.ts';
import type { Row } from './rows.ts';
import { type Salvage, salvageJournal } from './salvage.ts';

export interface Rescued {
  /** Where the damaged files are now. */
  readonly aside: readonly string[];
  /** How many live actions the new journal has. */
  readonly salvaged: number;
  /** Entries that could not be read. */
  readonly unreadable: number;
}

const endings = ['', '-wal', '-shm'] as const;

/**
 * `letGo`: this process has the file open still, and what closes it writes into what it has open, so
 * what is put aside is a copy. The damaged bytes are never written over. It is called where the system
 * replaces nothing that is open, as Windows does not.
 */
export function rescueJournal(file: string, letGo?: () => void): Rescued {
  const saved = salvageJournal(file);
  const fresh = `${file}.fresh`;
  makeFresh(fresh, saved);
  const aside = putAside(file, letGo !== undefined);
  try {
    replace(fresh, file);
  } catch (error) {
    if (letGo === undefined || !isInUse(error)) throw error;
    letGo();
    replace(fresh, file);
  }
  const salvaged = saved.actions.filter((row) => row.ended_at === null).length;
  return { aside, salvaged, unreadable: saved.unreadable };
}

function isInUse(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EPERM' || code === 'EBUSY' || code === 'EACCES';
}

/** Puts the file of a journal in its place, and nothing of an older one beside it. */
export function replace(fresh: string, file: string): void {
  for (const ending of endings.slice(1)) rmSync(`${file}${ending}`, { force: true });
  renameSync(fresh, file);
  syncFolder(file);
}

function makeFresh(file: string, saved: Salvage): void {
  for (const ending of endings) rmSync(`${file}${ending}`, { force: true });
  const { database } = openFile(file);
  try {
    database.exec('BEGIN IMMEDIATE');
    fill(database, saved);
    database.exec('COMMIT');
  } finally {
    closeDatabase(database);
  }
}

export function fill(database: DatabaseSync, saved: Salvage): void {
  const instance = database.prepare(
    'INSERT INTO instances VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  );
  for (const { id, driver, settings } of saved.instances) instance.run(id, driver, settings);
  const known = new Set(
    database
      .prepare('SELECT id FROM instances')
      .all()
      .map(({ id }) => id),
  );
  const action = database.prepare(
    `INSERT INTO actions VALUES (${Array(17).fill('?').join(', ')}) ON CONFLICT DO NOTHING`,
  );
  for (const row of saved.actions) if (known.has(row.instance)) action.run(...valuesOf(row));
  const offence = database.prepare(
    'INSERT INTO offences VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  for (const values of saved.offences) offence.run(...values);
  const position = database.prepare(
    'INSERT INTO followed VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  for (const values of saved.followed) position.run(...values);
}

function valuesOf(row: Row) {
  const { id, response, target, instance, state, created_at, deadline_at, due_at, ended_at } = row;
  const { origin, manager_line, pre_existing, attempts, trouble, kind, memory, facts } = row;
  const first = [id, response, target, instance, state, created_at, deadline_at, due_at, ended_at];
  return [...first, origin, manager_line, pre_existing, attempts, trouble, kind, memory, facts];
}

/** The files of a journal, under another name: nothing of them is lost. */
export function putAside(file: string, copy: boolean): string[] {
  const suffix = `damaged-${new Date().toISOString().replaceAll(':', '')}`;
  const moved: string[] = [];
  for (const ending of endings) {
    if (!existsSync(`${file}${ending}`)) continue;
    const aside = `${file}.${suffix}${ending}`;
    if (copy) copyFileSync(`${file}${ending}`, aside);
    else renameSync(`${file}${ending}`, aside);
    moved.push(aside);
  }
  syncFolder(file);
  return moved;
}

/** A new name is on disk when its folder is. */
function syncFolder(file: string): void {
  let folder: number | undefined;
  try {
    folder = openSync(dirname(file), 'r');
    fsyncSync(folder);
  } catch {
    // Windows has no folders that could be opened; its names are on disk with the file.
  } finally {
    if (folder !== undefined) closeSync(folder);
  }
}
