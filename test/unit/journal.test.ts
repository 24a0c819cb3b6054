import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ArError } from '../../agent/errors.ts';
import { type Journal, openJournal } from '../../agent/journal/journal.ts';
import type { ActionState, Change, Intent, Order } from '../../agent/words.ts';
import { requires } from '../requirements.ts';
import { instance, order, target } from './sample.ts';

const now = 1_000_000;
const minute = 60_000;
const a = '203.0.113.7';
const b = '2001:db8::/48';
let folder: string;
let journal: Journal;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-journal-'));
  journal = openJournal(folder);
});
afterEach(async () => {
  try {
    journal.close();
  } catch {
    // The test has closed it.
  }
  await rm(folder, { recursive: true });
});

/** Closes the journal and opens it again, as after a restart. */
const reopen = (): void => {
  journal.close();
  journal = openJournal(folder);
};
const intend = (one: Order, at = now): Intent => journal.intend([one], at)[0] as Intent;
const settle = (intent: Intent, state: ActionState, more: Partial<Change> = {}, at = now): void => {
  if (intent.kind === 'absent') throw new Error('nothing to settle');
  journal.settle([{ id: intent.action.id, state, ...more }], at);
};
const add = (text: string, timeoutSeconds?: number, more: Partial<Order> = {}, at = now) => {
  const intent = intend(order('add', text, { timeoutSeconds, ...more }), at);
  if (intent.kind === 'apply') settle(intent, 'active', {}, at);
  return intent;
};

describe('an addition', () => {
  test('that extends one of a manager keeps its rule, its reason and its line', () => {
    const origin = { dialect: 'wazuh4', by: 'node01', reason: 'why', ruleId: '5712' } as const;
    add(a, 60, { origin, managerLine: '{"version":1}' });
    add(a, 600, { origin: { dialect: 'native', by: 'root' } });
    expect(journal.holder('firewall-drop', a)).toMatchObject({
      deadlineAt: now + 600_000,
      origin: { dialect: 'native', by: 'root', reason: 'why', ruleId: '5712' },
      managerLine: '{"version":1}',
    });
  });

  test('of something that was forgotten has to look at the machine first', () => {
    add(a);
    settle(intend(order('delete', a, { forget: true })), 'forgotten');
    reopen();
    expect(journal.forgotten(instance)).toEqual(new Set([a]));
    expect(intend(order('add', a))).toMatchObject({ isNew: true, uncertain: true });
    expect(intend(order('add', b))).toMatchObject({ isNew: true, uncertain: false });
  });

  test('is written down before it is done, and survives', () => {
    const origin = { dialect: 'wazuh4', by: 'node01', reason: 'why', ruleId: '5712' } as const;
    const intent = intend(
      order('add', a, { timeoutSeconds: 60, origin, managerLine: '{"version":1}' }),
    );
    expect(intent).toMatchObject({
      kind: 'apply',
      isNew: true,
      refreshed: false,
      standing: false,
      uncertain: false,
      endsAt: now + minute,
    });
    reopen();
    expect(journal.isNew).toBe(false);
    expect(journal.liveCount()).toBe(1);
    expect(journal.holder('firewall-drop', a)).toMatchObject({
      state: 'intended',
      createdAt: now,
      deadlineAt: now + minute,
      origin,
      managerLine: '{"version":1}',
      instance,
      preExisting: false,
      attempts: 0,
    });
  });

  test('that is repeated moves the end further, never nearer', () => {
    add(a, 60);
    expect(add(a, 60)).toMatchObject({ kind: 'keep' });
    expect(add(a, 30)).toMatchObject({ kind: 'keep' });
    expect(add(a, 120)).toMatchObject({
      kind: 'apply',
      isNew: false,
      refreshed: true,
      standing: true,
      endsAt: now + 2 * minute,
    });
    expect(add(a)).toMatchObject({ kind: 'apply', refreshed: true, endsAt: undefined });
    expect(add(a, 60)).toMatchObject({ kind: 'keep' });
    expect(journal.holder('firewall-drop', a)?.deadlineAt).toBeUndefined();
    expect(journal.liveCount()).toBe(1);
  });

  test('that failed makes room for the next', () => {
    settle(intend(order('add', a)), 'failed', { trouble: 'no room' });
    expect(journal.holder('firewall-drop', a)).toBeUndefined();
    expect(journal.liveCount()).toBe(0);
    expect(journal.list('ended', 10)).toMatchObject([
      { state: 'failed', trouble: 'no room', endedAt: now },
    ]);
    expect(intend(order('add', a))).toMatchObject({ kind: 'apply', isNew: true, uncertain: false });
  });

  test('of what is being taken back is new in its end, and has to look what there is', () => {
    add(a);
    intend(order('delete', a));
    expect(intend(order('add', a, { timeoutSeconds: 60 }))).toMatchObject({
      kind: 'apply',
      isNew: false,
      refreshed: false,
      standing: false,
      uncertain: true,
      endsAt: now + minute,
    });
  });

  test('beside another response on the same effect makes it last as long as either', () => {
    add(a, 60);
    expect(add(a, 600, { response: 'other' })).toMatchObject({
      kind: 'apply',
      isNew: true,
      standing: true,
      endsAt: now + 10 * minute,
    });
    expect(add(a, 30, { response: 'third' })).toMatchObject({ endsAt: now + 10 * minute });
    expect(journal.liveCount()).toBe(3);
  });
});

describe('a deletion', () => {
  test('of nothing is absent', () => {
    expect(intend(order('delete', a))).toMatchObject({ kind: 'absent' });
  });

  test('is written down before it is done, and survives', () => {
    add(a);
    expect(intend(order('delete', a), now + 5)).toMatchObject({ kind: 'revert' });
    reopen();
    expect(journal.holder('firewall-drop', a)?.state).toBe('reverting');
    expect(journal.nextDueAt(instance)).toBe(now + 5);
  });

  test('leaves an effect that others hold, or that was there before', () => {
    add(a);
    add(a, undefined, { response: 'other' });
    const released = intend(order('delete', a));
    expect(released).toMatchObject({ kind: 'release', heldBy: ['other'] });
    settle(released, 'reverted');
    expect(intend(order('delete', a, { response: 'other' }))).toMatchObject({ kind: 'revert' });
    settle(intend(order('add', b)), 'active', { preExisting: true });
    expect(intend(order('delete', b))).toMatchObject({ kind: 'release', heldBy: [] });
  });

  test('that only forgets changes nothing on the machine', () => {
    add(a);
    const forgotten = intend(order('delete', a, { forget: true }));
    expect(forgotten.kind).toBe('release');
    settle(forgotten, 'forgotten');
    expect(journal.liveCount()).toBe(0);
    expect(journal.list('ended', 1)).toMatchObject([{ state: 'forgotten' }]);
  });

  test('of what is due passes over what was prolonged meanwhile', () => {
    add(a, 60);
    add(a, 600);
    const expiry = order('delete', a, { onlyWhenDue: true });
    expect(intend(expiry, now + minute).kind).toBe('absent');
    expect(intend(expiry, now + 10 * minute).kind).toBe('revert');
  });

  test('that did not work is due again when it says', () => {
    add(a);
    const intent = intend(order('delete', a));
    const again = { dueAt: now + 4_000, triedAgain: true, trouble: 'busy' };
    settle(intent, 'reverting', again);
    expect(journal.due(instance, now + 3_999, 10)).toEqual([]);
    expect(journal.due(instance, now + 4_000, 10)).toMatchObject([
      { state: 'reverting', attempts: 1, trouble: 'busy' },
    ]);
    settle(intent, 'reverted');
    expect(journal.nextDueAt(instance)).toBeUndefined();
  });
});

describe('what is asked of it', () => {
  test('due: soonest first, of one instance, as many as asked', () => {
    const other = { driver: 'hosts-deny', settings: { path: '/etc/hosts.deny' } };
    add('192.0.2.3', 30);
    add('192.0.2.1', 10);
    add('192.0.2.2', 20);
    add('192.0.2.4');
    add('192.0.2.5', 5, { instance: other });
    const due = (at: number, limit: number) =>
      journal.due(instance, at, limit).map((one) => one.target.text);
    expect(journal.nextDueAt(instance)).toBe(now + 10_000);
    expect(due(now + 9_999, 9)).toEqual([]);
    expect(due(now + 20_000, 9)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(due(now + minute, 2)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(journal.due(other, now + minute, 9)).toHaveLength(1);
    expect(journal.instances()).toEqual([instance, other]);
    expect(journal.heldBy(other)).toHaveLength(1);
    expect(journal.holdsAny({ driver: 'nftables', settings: { table: 'x' } })).toBe(false);
  });

  test('instances of which actions have ended, by when they did', () => {
    const other = { driver: 'hosts-deny', settings: { path: '/etc/hosts.deny' } };
    add(a);
    add('192.0.2.5', undefined, { instance: other });
    expect(journal.endedInstances(0)).toEqual([]);
    settle(intend({ ...order('delete', '192.0.2.5'), instance: other }), 'reverted');
    expect(journal.endedInstances(0)).toEqual([other]);
    expect(journal.endedInstances(now)).toEqual([other]);
    expect(journal.endedInstances(now + 1)).toEqual([]);
  });

  test('an instance is the same whatever the order of its settings', () => {
    add(a, 1, { instance: { driver: 'x', settings: { one: '1', two: '2' } } });
    reopen();
    expect(journal.holdsAny({ driver: 'x', settings: { two: '2', one: '1' } })).toBe(true);
  });

  test('counts, and lists newest first', () => {
    add('192.0.2.1');
    intend(order('add', '192.0.2.2'));
    settle(intend(order('add', '192.0.2.3')), 'missing', { trouble: 'gone' });
    add('192.0.2.4');
    intend(order('delete', '192.0.2.4'));
    expect(journal.counts()).toEqual({ active: 1, intended: 1, missing: 1, reverting: 1 });
    expect(journal.list('live', 2).map((one) => one.target.text)).toEqual([
      '192.0.2.4',
      '192.0.2.3',
    ]);
    expect(journal.liveCount()).toBe(4);
  });

  test('an effect that was found gets an action, unless it has one', () => {
    add(a);
    const found = { response: 'firewall-drop', instance, reason: 'found' };
    journal.adopt(
      [
        { ...found, target: target(a) },
        { ...found, target: target(b), deadlineAt: now + minute },
      ],
      now,
    );
    expect(journal.liveCount()).toBe(2);
    expect(journal.holder('firewall-drop', b)).toMatchObject({
      state: 'active',
      deadlineAt: now + minute,
      origin: { dialect: 'recovered', reason: 'found' },
    });
  });

  test('deadlines move with the wall clock, those that are over stay', () => {
    add(a, 60);
    settle(intend(order('add', b, { timeoutSeconds: 60 })), 'failed');
    add('192.0.2.1');
    journal.shiftDeadlines(-3_600_000.4);
    expect(journal.holder('firewall-drop', a)?.deadlineAt).toBe(now + minute - 3_600_000);
    expect(journal.nextDueAt(instance)).toBe(now + minute - 3_600_000);
    expect(journal.holder('firewall-drop', '192.0.2.1')?.deadlineAt).toBeUndefined();
    expect(journal.list('ended', 1)[0]?.deadlineAt).toBe(now + minute);
  });

  test('old history is forgotten by age and by number, nothing that is live', () => {
    add(a);
    for (let index = 0; index < 10; index += 1) {
      settle(intend(order('add', `192.0.2.${index}`)), 'failed', {}, now + index);
    }
    const remembered = () => journal.list('ended', 99).map((one) => one.target.text);
    expect(journal.prune(now + 3, 100)).toBe(3);
    expect(remembered()).toHaveLength(7);
    expect(journal.prune(0, 2)).toBe(5);
    expect(remembered()).toEqual(['192.0.2.9', '192.0.2.8']);
    expect(journal.prune(0, 2)).toBe(0);
    expect(journal.liveCount()).toBe(1);
  });
});

test('a batch is written down whole or not at all', () => {
  add(a);
  const before = journal.list('live', 9);
  const broken = { ...order('add', b), response: null as unknown as string };
  const batch = [order('add', '192.0.2.1'), order('delete', a), broken];
  expect(() => journal.intend(batch, now)).toThrow(
    expect.objectContaining({ code: 'journal-failed' }),
  );
  expect(journal.list('live', 9)).toEqual(before);
  expect(journal.liveCount()).toBe(1);
  const states = [
    { id: before[0]?.id ?? 0, state: 'reverted' },
    { id: 99, state: 'nonsense' },
  ] as unknown as Change[];
  expect(() => journal.settle(states, now)).toThrow(ArError);
  expect(journal.list('live', 9)).toEqual(before);
  expect(journal.liveCount()).toBe(1);
  expect(intend(order('add', b)).kind).toBe('apply');
});

requires('prlimit')('a disk that is full', () => {
  test('fails what it does not take, and keeps all before', async () => {
    journal.close();
    const script = fileURLToPath(new URL('./fill-journal.ts', import.meta.url));
    const { stdout } = await execa(
      'prlimit',
      ['--fsize=200000', process.execPath, script, folder],
      { reject: false },
    );
    const said = JSON.parse(stdout) as { batches: number; code: string; live: number };
    expect(said.code).toBe('journal-failed');
    expect(said.batches).toBeGreaterThan(0);
    expect(said.live).toBe(said.batches * 50);
    journal = openJournal(folder);
    expect(journal.liveCount()).toBe(said.live);
    const { active, intended } = journal.counts();
    expect([active % 50, intended % 50]).toEqual([0, 0]);
  });
});

describe('a file that is', () => {
  const file = () => join(folder, 'journal.db');
  const changed = (statements: string): void => {
    const database = new DatabaseSync(file());
    database.exec(statements);
    database.close();
  };

  const refused = (code: string): void => {
    const names = readdirSync(folder);
    const contents = () => names.map((name) => readFileSync(join(folder, name)).toString('base64'));
    const before = contents();
    expect(() => openJournal(folder)).toThrow(expect.objectContaining({ code }));
    expect(contents()).toEqual(before);
  };

  test('no database is refused, and left as it is', async () => {
    journal.close();
    await writeFile(file(), 'A letter to the editor. '.repeat(100));
    refused('journal-damaged');
  });

  test.each([0, 1, 2, 3])('damaged in page %d is refused, and left as it is', async (page) => {
    for (let index = 0; index < 300; index += 1) add(`10.0.${index >> 8}.${index & 255}`, 60);
    journal.close();
    const bytes = readFileSync(file());
    bytes.fill(0xa5, page * 4_096 + (page === 0 ? 100 : 0), (page + 1) * 4_096);
    await writeFile(file(), bytes);
    refused('journal-damaged');
  });

  test('cut off is refused, and left as it is', async () => {
    for (let index = 0; index < 300; index += 1) add(`10.0.${index >> 8}.${index & 255}`, 60);
    journal.close();
    await writeFile(file(), readFileSync(file()).subarray(0, 3 * 4_096));
    refused('journal-damaged');
  });

  test('of somebody else is refused, and left as it is', async () => {
    journal.close();
    await rm(file());
    changed('CREATE TABLE letters (text TEXT); INSERT INTO letters VALUES (1)');
    refused('journal-damaged');
  });

  test('of a later version is refused, and left as it is', () => {
    journal.close();
    changed('PRAGMA user_version = 99; UPDATE life SET version = 99');
    refused('journal-newer');
  });

  test('in use is refused, and left as it is', () => {
    add(a);
    refused('journal-locked');
    add(b);
    expect(journal.liveCount()).toBe(2);
  });

  test('empty is a new journal', async () => {
    journal.close();
    await writeFile(file(), '');
    journal = openJournal(folder);
    expect(journal.isNew).toBe(true);
    add(a);
    reopen();
    expect([journal.isNew, journal.liveCount()]).toEqual([false, 1]);
  });
});

test('a folder that is not there is an error of its own', () => {
  const nowhere = join(folder, 'nowhere');
  expect(() => openJournal(nowhere)).toThrow(expect.objectContaining({ code: 'journal-failed' }));
  expect(existsSync(nowhere)).toBe(false);
});

test('nobody else can read it', () => {
  if (process.umask() === 0o077) expect(statSync(journal.file).mode & 0o077).toBe(0);
});
