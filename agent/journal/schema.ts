import { DatabaseSync } from 'node:sqlite';
import { ArError } from '../errors.ts';

/** Marks the file as ours ("AREX"); see https://www.sqlite.org/fileformat.html#application_id. */
const applicationId = 0x41524558;

/**
 * Each entry takes the journal one version further and is never changed once released. The number
 * of entries done stands in the file as `user_version`.
 *
 * A row is live as long as `ended_at` is empty. `due_at` is when somebody has to look at a live row
 * again: its deadline, or the next try of a revert that did not work. That live rows are those in a
 * live state is held by settle.ts and its tests: CHECK constraints made every write twice as slow.
 */
const migrations: readonly string[] = [
  `CREATE TABLE instances (
     id        INTEGER PRIMARY KEY,
     driver    TEXT NOT NULL,
     settings  TEXT NOT NULL,
     UNIQUE (driver, settings)
   ) STRICT;
   CREATE TABLE actions (
     id            INTEGER PRIMARY KEY,
     response      TEXT NOT NULL,
     target        TEXT NOT NULL,
     instance      INTEGER NOT NULL REFERENCES instances,
     state         TEXT NOT NULL,
     created_at    INTEGER NOT NULL,
     deadline_at   INTEGER,
     due_at        INTEGER,
     ended_at      INTEGER,
     origin        TEXT NOT NULL,
     manager_line  TEXT,
     pre_existing  INTEGER NOT NULL DEFAULT 0,
     attempts      INTEGER NOT NULL DEFAULT 0,
     trouble       TEXT
   ) STRICT;
   CREATE UNIQUE INDEX live_target ON actions (target, response) WHERE ended_at IS NULL;
   CREATE INDEX live_due ON actions (instance, due_at) WHERE ended_at IS NULL;
   CREATE INDEX ended ON actions (ended_at) WHERE ended_at IS NOT NULL;
   CREATE INDEX forgotten ON actions (instance, target) WHERE state = 'forgotten';`,
  // 2: targets that are not addresses; what an effect is taken back with; facts of the alert.
  `ALTER TABLE actions ADD COLUMN kind TEXT NOT NULL DEFAULT 'address';
   ALTER TABLE actions ADD COLUMN memory TEXT;
   ALTER TABLE actions ADD COLUMN facts TEXT;`,
  // 3: how often targets have set off a response; how far files of alerts have been read.
  `CREATE TABLE offences (
     response  TEXT NOT NULL,
     offender  TEXT NOT NULL,
     count     INTEGER NOT NULL,
     last_at   INTEGER NOT NULL,
     PRIMARY KEY (response, offender)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE followed (
     path          TEXT PRIMARY KEY,
     file          TEXT NOT NULL,
     offset        INTEGER NOT NULL,
     fingerprint   TEXT NOT NULL,
     after_action  INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  // 4: whether it was closed, which leaves no log beside it; its version once more.
  `CREATE TABLE life (
     closed   INTEGER NOT NULL,
     starts   INTEGER NOT NULL,
     version  INTEGER NOT NULL
   ) STRICT;
   INSERT INTO life (closed, starts, version) VALUES (1, 0, 0);`,
];

/** The first version that says within the tables which it is. */
const versionedSince = 4;

function versionWithin(database: DatabaseSync): unknown {
  return database.prepare('SELECT version FROM life').get()?.['version'];
}

/** The cause of an error that is about somebody else's file: it is never put aside. */
export const othersFile = new Error('it is a database of another application');

/**
 * The version of a journal, and whether it is empty, that is: new.
 * Throws `journal-damaged` (not ours) or `journal-newer` (written by a later ar-exec).
 */
export function readVersion(
  database: DatabaseSync,
  file: string,
): { readonly version: number; readonly empty: boolean } {
  const id = pragma(database, 'application_id');
  const version = pragma(database, 'user_version');
  const tables = database.prepare('SELECT count(*) AS number FROM sqlite_schema').get();
  const empty = id === 0 && version === 0 && tables?.['number'] === 0;
  if (empty) return { version, empty };
  const here = schemaOf(database);
  // What says which version it is can be damaged too; the tables tell.
  const isOurs = here === schemaAt(migrations.length);
  if (id !== applicationId && !isOurs) {
    throw new ArError(
      'journal-damaged',
      `${file} is a database, but not a journal of ar-exec`,
      'Move it away, or name another state folder with --state.',
      { cause: othersFile },
    );
  }
  // What is newer says so in both places.
  if (version > migrations.length && (!isOurs || versionWithin(database) === version)) {
    throw new ArError(
      'journal-newer',
      `${file} has journal version ${version}; this ar-exec knows ${migrations.length}`,
      'Start the newer ar-exec that wrote it. Nothing was changed.',
    );
  }
  if (id !== applicationId || here !== schemaAt(version))
    throw damaged(file, 'its tables are not those of its version');
  return { version, empty };
}

function schemaOf(database: DatabaseSync): string {
  const all = database
    .prepare(
      `SELECT it.type, it.name, part.name AS part
       FROM sqlite_schema AS it LEFT JOIN pragma_table_info(it.name) AS part
       WHERE it.name NOT LIKE 'sqlite_%' ORDER BY it.type, it.name, part.cid`,
    )
    .all();
  return JSON.stringify(all);
}

const schemas = new Map<number, string>();

/** What the tables of a version are; undefined for one that there is not. */
function schemaAt(version: number): string | undefined {
  if (version < 1 || version > migrations.length) return undefined;
  const known = schemas.get(version);
  if (known !== undefined) return known;
  const database = new DatabaseSync(':memory:');
  try {
    for (const statements of migrations.slice(0, version)) database.exec(statements);
    const schema = schemaOf(database);
    schemas.set(version, schema);
    return schema;
  } finally {
    database.close();
  }
}

/**
 * Brings an opened file to the newest version, or refuses it untouched.
 * Returns true when the file was empty. Throws as `readVersion` does.
 */
export function migrate(database: DatabaseSync, file: string): boolean {
  const { version, empty } = readVersion(database, file);
  migrations.slice(version).forEach((statements, index) => {
    database.exec('BEGIN IMMEDIATE');
    database.exec(statements);
    database.exec(`PRAGMA application_id = ${applicationId}`);
    const reached = version + index + 1;
    database.exec(`PRAGMA user_version = ${reached}`);
    if (reached >= versionedSince) database.exec(`UPDATE life SET version = ${reached}`);
    database.exec('COMMIT');
  });
  return empty;
}

export function damaged(file: string, said: string, cause?: unknown): ArError {
  return new ArError(
    'journal-damaged',
    `${file} cannot be read as a journal: ${said}`,
    'Nothing was overwritten. "ar-exec run" puts the file aside and goes on with what can be read of it and what the machine holds; so does "ar-exec journal rebuild".',
    cause === undefined ? undefined : { cause },
  );
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}
