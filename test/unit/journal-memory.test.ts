/** What the journal keeps besides: what an effect is taken back with, what an alert said, older files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Journal, openJournal } from '../../agent/journal/journal.ts';
import type { Instance, Intent, Order } from '../../agent/words.ts';
import { parseFile, processTarget, type Target } from '../../platform/target.ts';
import { instance, order, target } from './sample.ts';

const now = 1_000_000;
const minute = 60_000;
const a = '203.0.113.7';
const lamps: Instance = { driver: 'lamps', settings: { room: 'hall' } };
const others: Instance = { driver: 'lamps', settings: { room: 'yard' } };
const user: Target = { kind: 'user', text: 'eve' };

let folder: string;
let journal: Journal;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ar-exec-memory-'));
});
afterEach(() => {
  journal.close();
  rmSync(folder, { recursive: true });
});

const open = (): void => {
  journal = openJournal(folder);
};
const reopen = (): void => {
  journal.close();
  open();
};
const wish = (more: Partial<Order> = {}): Order => ({
  ...order('add', a),
  target: user,
  response: 'lock',
  instance: lamps,
  ...more,
});
const intend = (one: Order): Intent => journal.intend([one], now)[0] as Intent;
const held = (response = 'lock') => journal.holder(response, user.text);

describe('a memory', () => {
  beforeEach(open);

  test('is that of the live actions of its effect, of no others, and survives', () => {
    intend(wish());
    intend(wish({ response: 'party' }));
    intend(wish({ response: 'yard', instance: others }));
    intend(wish({ target: { kind: 'user', text: 'bob' } }));
    journal.remember(lamps, [{ target: user, memory: { was: 'open' } }]);
    reopen();
    expect(held()?.memory).toEqual({ was: 'open' });
    expect(held('party')?.memory).toEqual({ was: 'open' });
    expect(held('yard')?.memory).toBeUndefined();
    expect(journal.holder('lock', 'bob')?.memory).toBeUndefined();
  });

  test('says with it whether it was so before; the next look says so anew', () => {
    intend(wish());
    journal.remember(lamps, [{ target: user, memory: { was: 'shut' }, preExisting: true }]);
    expect(held()).toMatchObject({ state: 'intended', preExisting: true });
    journal.remember(lamps, [{ target: user, memory: { was: 'open' } }]);
    expect(held()).toMatchObject({ memory: { was: 'open' }, preExisting: false });
  });

  test.each([true, false])(
    'is copied to who holds the effect too (so before: %s)',
    (preExisting) => {
      intend(wish());
      journal.remember(lamps, [{ target: user, memory: { was: 'x' }, preExisting }]);
      const second = intend(wish({ response: 'party' }));
      expect(second).toMatchObject({ action: { memory: { was: 'x' }, preExisting } });
      expect(held('party')).toMatchObject({ memory: { was: 'x' }, preExisting });
      // With other settings it is another effect.
      const third = intend(wish({ response: 'yard', instance: others }));
      expect(third).toMatchObject({ action: { memory: undefined, preExisting: false } });
    },
  );

  test('goes with its action, and the next one begins without', () => {
    const first = intend(wish());
    journal.remember(lamps, [{ target: user, memory: { was: 'open' } }]);
    if (first.kind !== 'apply') throw new Error('it was to be made');
    journal.settle([{ id: first.action.id, state: 'reverted' }], now);
    expect(journal.list('ended', 1)[0]?.memory).toEqual({ was: 'open' });
    expect(intend(wish())).toMatchObject({ isNew: true, action: { memory: undefined } });
  });

  test('comes with what is adopted', () => {
    const memory = { from: '/srv/a' };
    const file = parseFile('/srv/a') as Target;
    const adopted = { response: 'take', target: file, instance: lamps, reason: 'found' };
    journal.adopt([{ ...adopted, memory }], now);
    reopen();
    expect(journal.holder('take', '/srv/a')).toMatchObject({
      state: 'active',
      target: file,
      memory,
      origin: { dialect: 'recovered' },
    });
  });

  test('of an instance that nobody knows is nothing', () => {
    journal.remember(others, [{ target: user, memory: { was: 'open' } }]);
    expect(journal.list('live', 9)).toEqual([]);
  });
});

describe('an action', () => {
  beforeEach(open);

  test.each<Target>([
    target('2001:db8::/48'),
    user,
    processTarget(4_711, '/usr/bin/a b') as Target,
    parseFile('/srv/ä "b"') as Target,
    { kind: 'named', text: '1609869.80794' },
  ])('has its target back: $kind', (one) => {
    intend(wish({ target: one }));
    reopen();
    expect(journal.holder('lock', one.text)?.target).toEqual(one);
  });

  test('has the facts of its alert', () => {
    const facts = { title: 'ä\n"', level: 7, groups: ['a'], extraArgs: [], sha256: undefined };
    expect(intend(wish({ facts }))).toMatchObject({ action: { facts } });
    reopen();
    expect(held()?.facts).toEqual({ title: 'ä\n"', level: 7, groups: ['a'], extraArgs: [] });
    expect(intend(wish({ response: 'party' }))).toMatchObject({ action: { facts: undefined } });
  });

  test('is told by the instance that holds it, to an order that goes by another', () => {
    intend(wish());
    expect(intend(wish({ instance: others }))).toMatchObject({
      kind: 'elsewhere',
      action: { instance: lamps },
    });
    expect(intend(wish({ instance: others, verb: 'delete' }))).toMatchObject({ kind: 'elsewhere' });
    // Of what its own timetable brings nobody waits for an answer.
    const expiry = wish({ instance: others, verb: 'delete', onlyWhenDue: true });
    expect(intend(expiry)).toMatchObject({ kind: 'absent' });
    expect(held()).toMatchObject({ state: 'intended', instance: lamps });
    expect(journal.liveCount()).toBe(1);
  });

  test('is among the holdings of its response', () => {
    intend(wish());
    intend(wish({ target: { kind: 'user', text: 'bob' } }));
    intend(wish({ response: 'party', target: { kind: 'user', text: 'bob' }, instance: others }));
    expect(journal.holdings()).toEqual([
      { response: 'lock', instance: lamps },
      { response: 'party', instance: others },
    ]);
  });
});

describe('a journal of version 1', () => {
  /** As the first release made it, with actions in every state. */
  const versionOne = `
    CREATE TABLE instances (
      id INTEGER PRIMARY KEY, driver TEXT NOT NULL, settings TEXT NOT NULL, UNIQUE (driver, settings)
    ) STRICT;
    CREATE TABLE actions (
      id INTEGER PRIMARY KEY, response TEXT NOT NULL, target TEXT NOT NULL,
      instance INTEGER NOT NULL REFERENCES instances, state TEXT NOT NULL,
      created_at INTEGER NOT NULL, deadline_at INTEGER, due_at INTEGER, ended_at INTEGER,
      origin TEXT NOT NULL, manager_line TEXT, pre_existing INTEGER NOT NULL DEFAULT 0,
      attempts INTEGER NOT NULL DEFAULT 0, trouble TEXT
    ) STRICT;
    CREATE UNIQUE INDEX live_target ON actions (target, response) WHERE ended_at IS NULL;
    CREATE INDEX live_due ON actions (instance, due_at) WHERE ended_at IS NULL;
    CREATE INDEX ended ON actions (ended_at) WHERE ended_at IS NOT NULL;
    CREATE INDEX forgotten ON actions (instance, target) WHERE state = 'forgotten';
    INSERT INTO instances VALUES (1, 'nftables', '{"table":"ar-exec"}');
    INSERT INTO actions VALUES
      (1, 'firewall-drop', '203.0.113.7', 1, 'active', 900000, 1060000, 1060000, NULL,
       '{"dialect":"wazuh4","by":"node01","ruleId":"5712"}', '{"version":1}', 0, 0, NULL),
      (2, 'firewall-drop', '2001:db8::/48', 1, 'reverting', 900001, 950000, 1004000, NULL,
       '{"dialect":"native"}', NULL, 0, 3, 'busy'),
      (3, 'firewall-drop', '198.51.100.0/24', 1, 'active', 900002, NULL, NULL, NULL,
       '{"dialect":"native","reason":"why"}', NULL, 1, 0, NULL),
      (4, 'firewall-drop', '192.0.2.4', 1, 'reverted', 900003, 900004, NULL, 900005,
       '{"dialect":"native"}', NULL, 0, 0, NULL),
      (5, 'firewall-drop', '192.0.2.5', 1, 'forgotten', 900004, NULL, NULL, 900006,
       '{"dialect":"native"}', NULL, 0, 0, NULL);
    PRAGMA application_id = ${0x41524558};
    PRAGMA user_version = 1;`;
  const file = () => join(folder, 'journal.db');
  const version = (): unknown => {
    const database = new DatabaseSync(file(), { readOnly: true });
    const found = database.prepare('PRAGMA user_version').get()?.['user_version'];
    database.close();
    return found;
  };

  beforeEach(() => {
    const database = new DatabaseSync(file());
    database.exec(versionOne);
    database.close();
    open();
  });

  test('loses nothing', () => {
    expect(journal.isNew).toBe(false);
    expect(journal.holder('firewall-drop', a)).toEqual({
      id: 1,
      response: 'firewall-drop',
      target: target(a),
      instance,
      state: 'active',
      createdAt: 900_000,
      deadlineAt: 1_060_000,
      dueAt: 1_060_000,
      endedAt: undefined,
      origin: { dialect: 'wazuh4', by: 'node01', ruleId: '5712' },
      preExisting: false,
      attempts: 0,
      trouble: undefined,
      managerLine: '{"version":1}',
      memory: undefined,
      facts: undefined,
    });
    expect(journal.heldBy(instance).map(({ target: one }) => one)).toEqual(
      [a, '2001:db8::/48', '198.51.100.0/24'].map(target),
    );
    expect(journal.list('live', 9)).toMatchObject([
      { preExisting: true, origin: { reason: 'why' } },
      { state: 'reverting', attempts: 3, trouble: 'busy' },
      { state: 'active' },
    ]);
    expect(journal.list('ended', 9)).toMatchObject([{ state: 'forgotten' }, { state: 'reverted' }]);
    expect(journal.forgotten(instance)).toEqual(new Set(['192.0.2.5']));
    expect(journal.nextDueAt(instance)).toBe(1_004_000);
    expect(journal.due(instance, 1_060_000, 9).map(({ id }) => id)).toEqual([2, 1]);
  });

  test('goes on as one of today, and is one from then on', () => {
    const extended = journal.intend([order('add', a, { timeoutSeconds: 600 })], now)[0];
    expect(extended).toMatchObject({ kind: 'apply', isNew: false, endsAt: now + 10 * minute });
    const [fresh] = journal.intend([wish({ facts: { title: 'why' } })], now);
    expect(fresh).toMatchObject({ isNew: true, action: { id: 6 } });
    journal.remember(lamps, [{ target: user, memory: { was: 'open' } }]);
    journal.settle([{ id: 2, state: 'reverted' }], now);
    expect(journal.liveCount()).toBe(3);
    reopen();
    expect(held()).toMatchObject({
      target: user,
      memory: { was: 'open' },
      facts: { title: 'why' },
    });
    expect(journal.liveCount()).toBe(3);
    journal.close();
    expect(version()).toBe(4);
    open();
  });

  test('that another agent has open is left as it is', () => {
    journal.close();
    rmSync(file());
    const database = new DatabaseSync(file());
    database.exec(versionOne);
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    expect(open).toThrow(expect.objectContaining({ code: 'journal-locked' }));
    database.exec('COMMIT');
    database.close();
    expect(version()).toBe(1);
    open();
    expect(journal.liveCount()).toBe(3);
  });
});
