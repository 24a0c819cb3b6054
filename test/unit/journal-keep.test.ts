/** A journal goes on whatever becomes of its file, and what is damaged is never written over. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Journal, openJournal } from '../../agent/journal/journal.ts';
import { keepJournal } from '../../agent/journal/keep.ts';
import { salvageJournal } from '../../agent/journal/salvage.ts';
import { instance, order } from './sample.ts';

let folder: string;
let state: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ar-exec-keep-'));
  state = join(folder, 'state');
  mkdirSync(state);
  file = join(state, 'journal.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const addresses = (first: number, count: number) =>
  Array.from(
    { length: count },
    (_, index) => `10.9.${(first + index) >> 8}.${(first + index) & 255}`,
  );

/** Holds them; some with much to say, so that their rows do not fit into a page. */
function hold(journal: Journal, targets: readonly string[]): void {
  const orders = targets.map((text, index) =>
    order('add', text, {
      timeoutSeconds: index % 3 === 0 ? undefined : 600 + index,
      ...(index % 20 === 7 ? { managerLine: 'x'.repeat(9_000 + index) } : {}),
    }),
  );
  const intents = journal.intend(orders, 1_000);
  const ids = intents.flatMap((one) => (one.kind === 'apply' ? one.action.id : []));
  journal.settle(
    ids.map((id) => ({ id, state: 'active' })),
    1_000,
  );
}

/** The files as a process that is killed now leaves them. */
function crash(journal: Journal): void {
  const image = join(folder, 'image');
  mkdirSync(image);
  for (const name of readdirSync(state)) copyFileSync(join(state, name), join(image, name));
  journal.close();
  rmSync(state, { recursive: true });
  renameSync(image, state);
}

const held = (journal: Journal) => journal.heldBy(instance).map(({ target }) => target.text);

describe('what is salvaged', () => {
  test('of a whole journal is all of it', () => {
    const journal = openJournal(state);
    hold(journal, addresses(0, 300));
    journal.checkpoint();
    hold(journal, addresses(300, 300));
    const deleted = journal.intend(
      addresses(100, 50).map((text) => order('delete', text)),
      2_000,
    );
    const ids = deleted.flatMap((one) => (one.kind === 'revert' ? one.action.id : []));
    journal.settle(
      ids.map((id) => ({ id, state: 'reverted' })),
      2_000,
    );
    const live = journal.list('live', 1_000);
    const ended = journal.list('ended', 1_000);
    crash(journal);
    const { actions, instances, unreadable } = salvageJournal(file);
    expect(unreadable).toBe(0);
    expect(instances).toMatchObject([{ driver: 'nftables' }]);
    const ofState = (over: boolean) =>
      actions
        .filter((row) => (row.ended_at !== null) === over)
        .map(({ target }) => target)
        .sort();
    expect(ofState(false)).toEqual(live.map(({ target }) => target.text).sort());
    expect(ofState(true)).toEqual(ended.map(({ target }) => target.text).sort());
  });
});

describe('a journal that is kept', () => {
  test('is put aside and goes on with what can be read when a page is damaged', () => {
    const journal = openJournal(state);
    hold(journal, addresses(0, 500));
    journal.close();
    const bytes = readFileSync(file);
    // A page in the middle, and what says what kind of file it is.
    bytes.fill(0xa5, 4_096 * 5, 4_096 * 6);
    bytes[3] = 0;
    writeFileSync(file, bytes);

    const kept = keepJournal(state);
    const [mishap] = kept.mishaps();
    expect(mishap).toMatchObject({ kind: 'damaged', aside: [expect.stringContaining('damaged-')] });
    expect(readFileSync(mishap?.aside?.[0] ?? '').equals(bytes)).toBe(true);
    expect(held(kept).length).toBeGreaterThan(400);
    expect(new Set(held(kept)).isSubsetOf(new Set(addresses(0, 500)))).toBe(true);
    expect(kept.isNew).toBe(false);
    hold(kept, ['203.0.113.7']);
    kept.close();
    const next = keepJournal(state);
    expect(next.mishaps()).toEqual([]);
    expect(held(next)).toContain('203.0.113.7');
    next.close();
  });

  test.each([
    ['its version', 63, 0x40],
    ['an older version', 63, 0x07],
    ['whose it is', 68, 0x01],
  ])('is not mistaken for something else when %s is damaged', (_, offset, bits) => {
    const journal = openJournal(state);
    hold(journal, addresses(0, 10));
    journal.close();
    const bytes = readFileSync(file);
    bytes[offset] = (bytes[offset] ?? 0) ^ bits;
    writeFileSync(file, bytes);
    const kept = keepJournal(state);
    expect(kept.mishaps()).toMatchObject([{ kind: 'damaged', salvaged: 10 }]);
    kept.close();
  });

  test('notices a log that is damaged, which SQLite does not', () => {
    const journal = openJournal(state);
    hold(journal, addresses(0, 50));
    hold(journal, addresses(50, 50));
    crash(journal);
    const wal = readFileSync(`${file}-wal`);
    wal[32 + 24 + 4_000] = (wal[32 + 24 + 4_000] ?? 0) ^ 1;
    writeFileSync(`${file}-wal`, wal);
    const kept = keepJournal(state);
    expect(kept.mishaps()).toMatchObject([{ kind: 'damaged' }]);
    expect(held(kept).length).toBeGreaterThan(90);
    kept.close();
  });

  test('knows that its log is gone, or cut off', () => {
    const journal = openJournal(state);
    hold(journal, addresses(0, 10));
    crash(journal);
    truncateSync(`${file}-wal`, readFileSync(`${file}-wal`).length - 100);
    const torn = readFileSync(`${file}-wal`);
    rmSync(`${file}-wal`);
    const kept = keepJournal(state);
    expect(kept.mishaps()).toMatchObject([{ kind: 'incomplete' }]);
    kept.close();
    expect(torn.length).toBeGreaterThan(0);
    // Once it was looked at it is whole.
    const next = keepJournal(state);
    expect(next.mishaps()).toEqual([]);
    next.close();
  });

  test('is read from its log alone when the file is gone', () => {
    const journal = openJournal(state);
    journal.checkpoint();
    hold(journal, addresses(0, 10));
    crash(journal);
    rmSync(file);
    const kept = keepJournal(state);
    expect(kept.mishaps()).toMatchObject([{ kind: 'damaged' }]);
    expect(held(kept).sort()).toEqual(addresses(0, 10).sort());
    kept.close();
  });

  test.each([['journal.db'], ['journal.db-wal']])(
    'is written anew when %s is taken away',
    (name) => {
      const kept = keepJournal(state);
      hold(kept, addresses(0, 100));
      expect(kept.tend()).toEqual([]);
      rmSync(join(state, name));
      hold(kept, addresses(100, 10));
      expect(kept.tend()).toMatchObject([{ kind: 'deleted', salvaged: 110 }]);
      hold(kept, addresses(110, 10));
      expect(kept.tend()).toEqual([]);
      crash(kept);
      const next = keepJournal(state);
      expect(next.mishaps()).toEqual([]);
      expect(held(next)).toEqual(addresses(0, 120));
      next.close();
    },
  );

  test('does not write over what somebody put in its place', () => {
    const kept = keepJournal(state);
    hold(kept, addresses(0, 10));
    renameSync(file, join(folder, 'taken'));
    writeFileSync(file, 'something of somebody');
    const [mishap] = kept.tend();
    expect(readFileSync(mishap?.aside?.[0] ?? '', 'utf8')).toBe('something of somebody');
    expect(held(kept)).toEqual(addresses(0, 10));
    kept.close();
  });

  test('is mended while it is in use', () => {
    const first = openJournal(state);
    hold(first, addresses(0, 20_000));
    first.close();
    const kept = keepJournal(state);
    const bytes = readFileSync(file);
    bytes.fill(0, 4_096 * 20);
    writeFileSync(file, bytes);
    let failed = false;
    try {
      held(kept);
    } catch (error) {
      failed = true;
      expect(error).toMatchObject({ code: 'journal-damaged' });
    }
    if (!failed) return kept.close();
    expect(kept.tend()).toMatchObject([
      { kind: 'damaged', aside: expect.arrayContaining([expect.any(String)]) },
    ]);
    expect(held(kept).length).toBeGreaterThan(50);
    hold(kept, ['203.0.113.7']);
    kept.close();
    const next = keepJournal(state);
    expect(next.mishaps()).toEqual([]);
    next.close();
  });

  test('leaves the database of another application alone', async () => {
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(file);
    database.exec('CREATE TABLE songs (name TEXT)');
    database.close();
    expect(() => keepJournal(state)).toThrow(expect.objectContaining({ code: 'journal-damaged' }));
    expect(readdirSync(state).filter((name) => name.includes('damaged'))).toEqual([]);
    expect(existsSync(file)).toBe(true);
  });

  test('knows what it held though its folder is gone', () => {
    const first = openJournal(state);
    hold(first, addresses(0, 10));
    first.close();
    // A folder in place of the log: SQLite cannot open it, and it can still be read.
    mkdirSync(`${file}-wal`);
    const kept = keepJournal(state);
    expect(kept.mishaps()).toMatchObject([{ kind: 'unwritable' }]);
    expect(kept.isPartial()).toBe(true);
    expect(() => hold(kept, ['203.0.113.7'])).toThrow(
      expect.objectContaining({ code: 'journal-failed' }),
    );
    expect(kept.tend()).toEqual([]);
    kept.shiftDeadlines(5_000);
    rmSync(`${file}-wal`, { recursive: true });
    expect(kept.tend()).toMatchObject([{ kind: 'writable' }]);
    expect(kept.isPartial()).toBe(false);
    expect(held(kept)).toEqual(addresses(0, 10));
    expect(kept.heldBy(instance)[1]?.deadlineAt).toBe(1_000 + 601_000 + 5_000);
    kept.close();
  });
});
