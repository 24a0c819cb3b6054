/**
 * A journal that an agent can go on with whatever becomes of its file: damaged, deleted, on a disk that
 * takes no more. What can be read is kept, what is damaged is put aside and never written over, and
 * everything that was done about it is told.
 */
import { existsSync, statSync } from 'node:fs';
import { ArError } from '../errors.ts';
import { createJournal, type Journal } from './journal.ts';
import {
  isDamage,
  journalFile,
  type OpenedDatabase,
  openDatabase,
  openFile,
  translate,
} from './open.ts';
import { fill, putAside, replace, rescueJournal } from './rescue.ts';
import { salvageJournal } from './salvage.ts';
import { othersFile } from './schema.ts';

/** Something that happened to the file, and what was done about it. */
export interface Mishap {
  readonly kind: 'damaged' | 'incomplete' | 'deleted' | 'unwritable' | 'writable';
  readonly what: string;
  readonly aside?: readonly string[];
  readonly salvaged?: number;
  readonly unreadable?: number;
}

export interface KeptJournal extends Journal {
  /** Looks after the file, every few seconds. Returns what it found, and dealt with. */
  tend(): readonly Mishap[];
  /** All that happened since the start. */
  mishaps(): readonly Mishap[];
}

type Method = Exclude<keyof Journal, 'file' | 'isNew' | 'positions'>;

function isMethod(name: keyof Journal): name is Method {
  return name !== 'file' && name !== 'isNew' && name !== 'positions';
}

export function keepJournal(stateFolder: string, waitMs = 0): KeptJournal {
  const file = journalFile(stateFolder);
  const mishaps: Mishap[] = [];
  let opened: OpenedDatabase | undefined;
  let inode: string | undefined;
  let current: Journal | undefined;
  let isDamaged = false;
  /** What the deadlines in the file have to be moved by, once it can be written to. */
  let shiftMs = 0;

  const journal = (): Journal => {
    if (current === undefined) throw new Error('the journal has not been opened');
    return current;
  };
  const note = (mishap: Mishap): void => {
    mishaps.push(mishap);
  };
  const use = (next: OpenedDatabase): void => {
    opened = next;
    inode = identityOf(file);
    isDamaged = false;
    current = createJournal({ ...next, isIncomplete: false });
  };

  const rescue = (said: unknown, open: boolean): void => {
    const letGo = (): void => {
      opened?.database.close();
      opened = undefined;
    };
    const rescued = rescueJournal(file, open ? letGo : undefined);
    letGo();
    use(openFile(file));
    note({ kind: 'damaged', what: messageOf(said), ...rescued });
  };

  /** Knows what the file says, as far as it can be read, and takes nothing. */
  const standIn = (said: unknown): void => {
    const memory = openFile(':memory:');
    const why = messageOf(said);
    let salvaged = 0;
    try {
      const saved = salvageJournal(file);
      fill(memory.database, saved);
      salvaged = saved.actions.filter((row) => row.ended_at === null).length;
    } catch {
      // It cannot even be read: nothing is known, and nothing is taken away.
    }
    opened = undefined;
    current = readOnly(createJournal(memory), file, why, (byMs) => {
      shiftMs += byMs;
    });
    note({ kind: 'unwritable', what: why, salvaged });
  };

  const open = (): void => {
    try {
      use(openDatabase(stateFolder, waitMs));
      if (opened?.isIncomplete !== true) return;
      note({ kind: 'incomplete', what: 'the end of what had been written down is gone' });
    } catch (error) {
      if (!(error instanceof ArError) || error.cause === othersFile) throw error;
      if (error.code === 'journal-failed') standIn(error);
      else if (error.code === 'journal-damaged') rescueOrStandIn(error);
      else throw error;
    }
  };
  const rescueOrStandIn = (error: ArError): void => {
    try {
      rescue(error, false);
    } catch (reason) {
      standIn(translate(reason, file));
    }
  };

  /** The file is gone from its place, and still open here: everything is written to a new one. */
  const renew = (): void => {
    const fresh = `${file}.fresh`;
    for (const path of [fresh, `${fresh}-wal`]) if (existsSync(path)) putAside(path, false);
    opened?.database.prepare('VACUUM INTO ?').run(fresh);
    // Somebody else's file in its place is not written over.
    const aside = existsSync(file) ? putAside(file, false) : [];
    replace(fresh, file);
    opened?.database.close();
    use(openFile(file));
    const what = 'the file was taken away while it was in use';
    note({ kind: 'deleted', what, aside, salvaged: journal().liveCount() });
  };

  const comeBack = (): void => {
    const before = mishaps.length;
    open();
    if (opened === undefined) {
      // As it was, and told already.
      mishaps.splice(before);
      return;
    }
    if (shiftMs !== 0) journal().shiftDeadlines(shiftMs);
    shiftMs = 0;
    note({ kind: 'writable', what: 'it can be written to again' });
  };

  const guarded = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      if (isDamage(error)) isDamaged = true;
      throw error instanceof ArError ? error : translate(error, file);
    }
  };

  open();
  const { isNew } = journal();
  const through = (name: Method) => [
    name,
    (...values: unknown[]) =>
      guarded(() => (journal()[name] as (...given: unknown[]) => unknown)(...values)),
  ];
  const methods = (Object.keys(journal()) as (keyof Journal)[]).filter(isMethod).map(through);
  return {
    ...(Object.fromEntries(methods) as Pick<Journal, Method>),
    file,
    isNew,
    positions: {
      find: (path) => guarded(() => journal().positions.find(path)),
      save: (...of) => guarded(() => journal().positions.save(...of)),
      askedByAlerts: (after) => guarded(() => journal().positions.askedByAlerts(after)),
      lastAction: () => guarded(() => journal().positions.lastAction()),
    },
    isPartial: () => opened === undefined,
    mishaps: () => mishaps,
    tend: () => {
      const before = mishaps.length;
      if (opened === undefined) comeBack();
      else if (isDamaged) rescue('a page that was read is damaged', true);
      else if (inode !== undefined && identityOf(file) !== inode) renew();
      return mishaps.slice(before);
    },
  };
}

/** Which file it is that stands there, with its log. */
function identityOf(file: string): string | undefined {
  if (file === ':memory:') return undefined;
  return [file, `${file}-wal`]
    .map((path) => {
      const found = statSync(path, { throwIfNoEntry: false, bigint: true });
      return found === undefined ? 'none' : `${found.dev} ${found.ino}`;
    })
    .join(' ');
}

function messageOf(said: unknown): string {
  return said instanceof Error ? said.message : String(said);
}

function readOnly(
  journal: Journal,
  file: string,
  why: string,
  onShift: (byMs: number) => void,
): Journal {
  const refuse = (): never => {
    throw new ArError(
      'journal-failed',
      `cannot write ${file}: ${why}`,
      'Nothing was done that is not written down. What is held is taken back in time; ask again when the disk can be written to.',
    );
  };
  return {
    ...journal,
    file,
    isNew: false,
    intend: refuse,
    settle: (changes) => (changes.length === 0 ? undefined : refuse()),
    // Left standing: it may be in the file that cannot be read.
    adopt: () => {},
    remember: refuse,
    rekey: refuse,
    forgetOffences: refuse,
    prune: refuse,
    checkpoint: () => {},
    positions: { ...journal.positions, save: refuse },
    shiftDeadlines: (byMs) => {
      journal.shiftDeadlines(byMs);
      onShift(byMs);
    },
  };
}
