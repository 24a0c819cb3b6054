import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { changeAccount } from '../../agent/system/change-account.ts';
import type { Driver, Memory } from '../../platform/driver.ts';
import { account } from '../../platform/linux/account.ts';
import type { UserTarget } from '../../platform/target.ts';
import { driverContract, type Machine } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import {
  type AccountMachine,
  accountMachine,
  dumpAccounts,
  fingerprint,
  hash,
  otherHash,
  plantUsers,
  users,
} from './account-machine.ts';

const before = fingerprint();
afterAll(() => expect(fingerprint(), 'this machine keeps its own accounts').toBe(before));

const mine = (machine: Machine): AccountMachine => machine as AccountMachine;
/** Accounts of somebody else that are half of what a disabled one is. */
const plantForeign = async (machine: Machine): Promise<void> => {
  const { add } = mine(machine);
  add('theirs-open');
  add('theirs-expired', { expire: '1' });
  add('theirs-service', { field: '*' });
};

requires(
  'root',
  'namespaces',
  'unshare',
  'usermod',
)('accounts', () => {
  driverContract<UserTarget>({
    name: 'keep the contract',
    kind: account,
    samples: {
      few: users(['alice', 'bob', 'carol']),
      bulk: 100,
      many: (count) => users(Array.from({ length: count }, (_, number) => `user-${number}`)),
      odd: users(['Upper', '_low', 'do.t', 'da-sh', 'machine$', 'a$b', '9lives', 'x'.repeat(32)]),
      plant: (machine, all) => plantUsers(mine(machine), all),
    },
    machine: () => accountMachine(),
    dump: (machine) => dumpAccounts(mine(machine)),
    plantForeign,
    damages: {},
  });

  describe.each([['yes'], ['no']])('with expire %s', (expire) => {
    const driver = account.make({ ...account.defaults, expire });
    let machine: AccountMachine;
    beforeEach(async () => {
      machine = await accountMachine();
    });
    afterEach(() => machine.close());

    /** What the password field holds, and what it is while the account is disabled. */
    const fields = [
      ['a password', hash, `!${hash}`],
      ['no password', '', '!'],
      ['no password that would fit', '*', '!*'],
      ['an old mark', '*LK*', '!*LK*'],
      ['none yet (useradd)', '!', '!'],
      ['none yet (RHEL)', '!!', '!!'],
      ['a locked service', '!*', '!*'],
      ['a locked password', `!${hash}`, `!${hash}`],
      ['one locked twice', `!!${hash}`, `!!${hash}`],
    ] as const;
    /** When it expires. */
    const ends = [
      ['never', ''],
      ['in the past', '18262'],
      ['in the future', '40000'],
      ['on a day that is read in two ways', '0'],
      ['on the day that is ours', '1'],
    ] as const;
    const states = fields.flatMap(([what, field, disabled]) =>
      ends.map(([when, end]) => ({ what, field, disabled, when, end })),
    );

    test(`gives back every one of ${states.length} states as it was`, async () => {
      const names = states.map((_, index) => `user-${index}`);
      states.forEach(({ field, end }, index) => {
        machine.add(names[index] ?? '', { field, expire: end });
      });
      const one = remembering(driver, machine);
      const wasDisabled = states.map(({ field, end }) => {
        return field.startsWith('!') && (expire === 'no' || end === '1');
      });
      expect((await one.disable(names)).map(({ result }) => result)).toEqual(
        // What was so already is settled first.
        [
          ...wasDisabled.filter((was) => was).map(() => 'pre-existing'),
          ...wasDisabled.filter((was) => !was).map(() => 'done'),
        ],
      );
      states.forEach(({ what, when, end, disabled }, index) => {
        expect({ what, when, ...machine.line(names[index] ?? '') }).toEqual({
          what,
          when,
          field: disabled,
          expire: expire === 'yes' ? '1' : end,
          rest: '19000:0:99999:7::',
        });
      });
      const held = names.filter((_, index) => !wasDisabled[index]);
      for (const { result } of await one.giveBack(held)) expect(result).toBe('done');
      states.forEach(({ what, when, field, end }, index) => {
        expect({ what, when, ...machine.line(names[index] ?? '') }).toEqual({
          what,
          when,
          field,
          expire: end,
          rest: '19000:0:99999:7::',
        });
      });
    });
  });

  describe('what an administrator does meanwhile', () => {
    const driver = account.make(account.defaults);
    let machine: AccountMachine;
    beforeEach(async () => {
      machine = await accountMachine();
    });
    afterEach(() => machine.close());
    const setField = (field: string) => () =>
      machine.edit('shadow', (text) => text.replace(/^alice:[^:]*/m, () => `alice:${field}`));
    const exec =
      (...argv: string[]) =>
      () =>
        machine.exec([...argv, 'alice']);

    /** Before; what is done; after the comparison with the journal; when all is taken back. */
    const cases: readonly (readonly [
      string,
      { field?: string; expire?: string },
      () => unknown,
      { field: string; expire: string },
      { field: string; expire: string },
    ])[] = [
      ['a new password', {}, setField(otherHash), held(`!${otherHash}`), free(otherHash)],
      [
        'a new password where there was none',
        { field: '' },
        setField(otherHash),
        held(`!${otherHash}`),
        free(otherHash),
      ],
      [
        'a new password for one that was locked',
        { field: `!${hash}` },
        setField(otherHash),
        held(`!${otherHash}`),
        free(`!${otherHash}`),
      ],
      ['unlocked', {}, exec('usermod', '-U'), held(`!${hash}`), free(hash)],
      ['unlocked and let in', {}, exec('usermod', '-U', '-e', ''), held(`!${hash}`), free(hash)],
      [
        'another expiry',
        { expire: '40000' },
        exec('usermod', '-e', '45000'),
        held(`!${hash}`),
        free(hash, '40000'),
      ],
      ['the password taken away', {}, exec('passwd', '-d'), held('!'), free('!')],
      ['locked as well', {}, exec('usermod', '-L'), held(`!${hash}`), free(hash)],
      [
        'locked as well, by a mark of its own',
        {},
        setField(`!!${hash}`),
        held(`!!${hash}`),
        free(`!!${hash}`),
      ],
      ['no password that would fit', {}, setField('*'), held('!*'), free('*')],
    ];

    test.each(cases)('%s: is disabled again', async (_, state, meanwhile, again, after) => {
      machine.add('alice', state);
      const one = remembering(driver, machine);
      await one.disable(['alice']);
      await meanwhile();
      await one.disable(['alice']);
      expect(machine.line('alice')).toMatchObject(again);
      await one.giveBack(['alice']);
      expect(machine.line('alice')).toMatchObject(after);
    });

    test.each(cases)('%s: just before it ends', async (_, state, meanwhile, __, after) => {
      machine.add('alice', state);
      const one = remembering(driver, machine);
      await one.disable(['alice']);
      await meanwhile();
      const now = machine.line('alice');
      expect(await one.giveBack(['alice'])).toMatchObject([{ result: 'done' }]);
      // What is not ours any more is as it was left.
      const isEmptied = now?.field === '';
      const wasOpened = now?.field === otherHash;
      expect(machine.line('alice')).toMatchObject({
        field: isEmptied ? '' : wasOpened ? otherHash : after.field,
        expire: now?.expire === '1' ? after.expire : (now?.expire ?? ''),
      });
    });

    test('says that a password was taken away', async () => {
      machine.add('alice');
      const one = remembering(driver, machine);
      await one.disable(['alice']);
      await machine.exec(['passwd', '-d', 'alice']);
      await one.disable(['alice']);
      expect(await one.giveBack(['alice'])).toMatchObject([
        { result: 'done', why: 'its password was taken away meanwhile: it stays locked' },
      ]);
    });

    test('the account removed: nothing is left to give back', async () => {
      machine.add('alice');
      const one = remembering(driver, machine);
      await one.disable(['alice']);
      await machine.exec(['userdel', 'alice']);
      expect(await one.giveBack(['alice'])).toMatchObject([{ result: 'done' }]);
    });

    test('the name given to somebody else: left alone', async () => {
      machine.add('alice');
      const one = remembering(driver, machine);
      await one.disable(['alice']);
      await machine.exec(['userdel', 'alice']);
      machine.add('alice', { field: `!${otherHash}`, expire: '1' });
      const now = await readFile(join(machine.etc, 'shadow'), 'utf8');
      expect(await one.giveBack(['alice'])).toMatchObject([{ result: 'done' }]);
      machine.edit('shadow', (text) => text.replace('!', ''));
      expect(await one.disable(['alice'])).toMatchObject([
        { result: 'failed', why: expect.stringContaining('any more') },
      ]);
      expect(await readFile(join(machine.etc, 'shadow'), 'utf8')).toBe(now.replace('!', ''));
    });

    test('the line in shadow gone: nothing is made of it', async () => {
      machine.add('alice');
      const one = remembering(driver, machine);
      await one.disable(['alice']);
      machine.edit('shadow', (text) => text.replace(/^alice:.*\n/m, ''));
      expect(await one.giveBack(['alice'])).toMatchObject([{ result: 'done' }]);
      expect(machine.line('alice')).toBeUndefined();
    });

    test('passwords moved to passwd: it cannot be given back, and says so', async () => {
      machine.add('alice');
      const one = remembering(driver, machine);
      await one.disable(['alice']);
      await machine.exec(['pwunconv']);
      await writeFile(join(machine.etc, 'shadow'), 'root:*:19000:0:99999:7:::\n');
      expect(await one.giveBack(['alice'])).toMatchObject([
        { result: 'failed', why: expect.stringContaining('/etc/shadow') },
      ]);
    });
  });

  describe('whom it does not touch', () => {
    let machine: AccountMachine;
    beforeEach(async () => {
      machine = await accountMachine();
      machine.add('toor', { uid: 0 });
      machine.add('agent', { uid: process.geteuid?.() ?? 0 });
      machine.add('alice');
      machine.add('bob');
      machine.add('carol', { uid: 3_999_999 });
      machine.add('twice');
      machine.add('twice', { uid: 0 });
      machine.add('double');
      machine.add('double');
      machine.add('no-shadow');
      machine.add('in-passwd');
      machine.add('odd-expiry', { expire: 'soon' });
      machine.add('minus-one', { expire: '-1' });
      machine.edit('shadow', (text) => text.replace(/^no-shadow:.*\n/m, ''));
      machine.edit('passwd', (text) => text.replace('in-passwd:x', 'in-passwd:'));
      machine.edit('passwd', (text) => `${text}+nis::::::\nbroken:x:7\n`);
      await writeFile(
        join(machine.etc, 'group'),
        'admins:x:700:dave,alice\nstaff:x:3999999:\nothers:x:701:bobby\n',
      );
    });
    afterEach(() => machine.close());

    test.each([
      ['root', 'protected', 'is root'],
      ['toor', 'protected', 'is root'],
      ['agent', 'protected', ''],
      ['twice', 'protected', 'is root'],
      ['nobody-here', 'absent', 'not in /etc/passwd'],
      ['+nis', 'absent', 'not in /etc/passwd'],
      ['broken', 'absent', 'not in /etc/passwd'],
      ['alice', 'protected', 'in the group admins'],
      ['carol', 'protected', 'in the group staff'],
      ['dave', 'absent', ''],
      ['double', undefined, 'stands twice'],
      ['no-shadow', undefined, 'no line in /etc/shadow'],
      ['in-passwd', undefined, 'does not have its password in /etc/shadow'],
      ['odd-expiry', undefined, 'that cannot be understood'],
      ['minus-one', undefined, 'that cannot be understood'],
    ])('%s', async (name, refusal, why) => {
      const neverDisable = 'root @admins @staff @nothing';
      const driver = account.make({ ...account.defaults, neverDisable });
      const now = await dumpAccounts(machine);
      const [carried] = await remembering(driver, machine).disable([name]);
      expect(carried).toMatchObject({ result: 'failed', why: expect.stringContaining(why) });
      expect(carried?.refusal).toBe(refusal);
      expect(await dumpAccounts(machine)).toBe(now);
    });

    test('bob, by his name on the list', async () => {
      const driver = account.make({ ...account.defaults, neverDisable: '@admins bob' });
      expect(await remembering(driver, machine).disable(['bob'])).toMatchObject([
        { result: 'failed', refusal: 'protected', why: expect.stringContaining('never_disable') },
      ]);
    });

    test('anybody, where a group is on the list and groups cannot be read', async () => {
      const driver = account.make({ ...account.defaults, neverDisable: '@admins' });
      const one = createCarrier(driver, (step) =>
        step.kind === 'read-file'
          ? Promise.resolve({ failure: 'io', stdout: '', stderr: 'EIO' })
          : machine.run(step),
      );
      const [bob] = users(['bob']) as [UserTarget];
      expect(await one.apply([{ target: bob }])).toMatchObject([
        { result: 'failed', why: '/etc/group: EIO' },
      ]);
    });
  });

  describe('other tools at the same files', () => {
    let machine: AccountMachine;
    beforeEach(async () => {
      machine = await accountMachine();
      machine.add('alice');
    });
    afterEach(() => machine.close());
    const step = (uid: number) =>
      ({
        kind: 'change-account',
        user: 'bob',
        uid,
        change: { to: 'disabled', expire: true },
      }) as const;

    test('who has the files for a moment is waited for', async () => {
      const uid = machine.add('bob');
      const lock = join(machine.etc, 'shadow.lock');
      await writeFile(lock, `${process.pid}\0`);
      const working = changeAccount(step(uid), machine.run);
      await setTimeout(700);
      expect(machine.line('bob')?.field).toBe(hash);
      await rm(lock);
      expect(await working).not.toHaveProperty('failure');
      expect(machine.line('bob')).toMatchObject(held(`!${hash}`));
    });

    test('who does not let go of them is told of', async () => {
      const uid = machine.add('bob');
      await writeFile(join(machine.etc, 'shadow.lock'), `${process.pid}\0`);
      const result = await changeAccount(step(uid), machine.run, 500);
      expect(result).toMatchObject({
        failure: 'exit',
        exitCode: 1,
        stderr: expect.stringContaining('lock'),
      });
      expect(machine.line('bob')).toMatchObject(free(hash));
    });

    test('who died with them in the hand is no hindrance', async () => {
      const uid = machine.add('bob');
      const ended = execa('true');
      await ended;
      const { pid } = ended;
      for (const file of ['passwd', 'shadow']) {
        await writeFile(join(machine.etc, `${file}.lock`), `${pid}\0`);
      }
      await changeAccount(step(uid), machine.run, 0);
      expect(machine.line('bob')).toMatchObject(held(`!${hash}`));
    });

    test('none of them loses what the other writes', async () => {
      const names = Array.from({ length: 12 }, (_, number) => `user-${number}`);
      for (const name of names) machine.add(name);
      const one = remembering(account.make(account.defaults), machine);
      const other = async () => {
        for (const name of names) {
          // Like ours, they find the files locked now and then.
          for (let tries = 0; tries < 100; tries += 1) {
            const result = await machine.run({
              kind: 'command',
              tool: 'chage',
              args: ['-M', '77', name],
            });
            if (result.failure === undefined) break;
          }
        }
      };
      const [disabled] = await Promise.all([one.disable(names), other()]);
      expect(disabled.map(({ result }) => result)).toEqual(names.map(() => 'done'));
      for (const name of names) {
        expect(machine.line(name)).toEqual({
          field: `!${hash}`,
          expire: '1',
          rest: '19000:0:77:7::',
        });
      }
    });
  });
});

function held(field: string): { field: string; expire: string } {
  return { field, expire: '1' };
}

function free(field: string, expire = ''): { field: string; expire: string } {
  return { field, expire };
}

/** A carrier with a memory, as the journal is. */
function remembering(driver: Driver<UserTarget>, machine: Machine) {
  const memories = new Map<string, Memory>();
  const one = createCarrier(driver as Driver, machine.run, (found) => {
    for (const { target, memory } of found) memories.set(target.text, memory);
  });
  const effects = (names: readonly string[]) =>
    users(names).map((target) => ({ target, memory: memories.get(target.text) }));
  return {
    memories,
    disable: (names: readonly string[]) => one.apply(effects(names)),
    giveBack: (names: readonly string[]) => one.revert(effects(names)),
  };
}
