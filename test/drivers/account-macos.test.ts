import { describe, expect, test } from 'vitest';
import { accountMacos } from '../../platform/macos/account.ts';
import type { UserTarget } from '../../platform/target.ts';
import { driverContract } from '../contract/driver-contract.ts';
import {
  dumpMac,
  type MacAccounts,
  macAccounts,
  plantUsers,
  users,
} from '../sim/account-machine.ts';
import type { Switches } from '../sim/simulator.ts';
import { remembering } from './remembering.ts';

const made = (settings: Readonly<Record<string, string>> = {}) =>
  accountMacos.make({ ...accountMacos.defaults, ...settings });

driverContract<UserTarget>({
  name: 'account-macos on macos14',
  kind: accountMacos,
  samples: {
    few: users(['alice', 'bob', 'carol']),
    bulk: 100,
    many: (count) => users(Array.from({ length: count }, (_, number) => `user-${number}`)),
    odd: users(['Upper', '_low', 'do.t', 'da-sh', 'machine$', '9lives', 'x'.repeat(32)]),
    plant: async (machine, all) => {
      const mine = machine as MacAccounts;
      plantUsers(mine, (name) => mine.directory.users[name] !== undefined, all);
    },
  },
  machine: async () => macAccounts(),
  dump: async (machine) => dumpMac(machine as MacAccounts),
  plantForeign: async (machine) => void (machine as MacAccounts).add('theirs-open'),
  damages: {},
});

test.each([
  ['nobody is', {}, []],
  ['one is', {}, ['zoe']],
  ['some are, each on a line of its own', { folds: true }, ['zoe', 'yann']],
])('reads who is disabled: %s', async (_, switches, names) => {
  const machine = macAccounts();
  for (const name of ['zoe', 'yann', 'open']) machine.add(name);
  machine.directory.disabled = [...names];
  machine.switches = switches;
  const driver = made();
  const answers = await Promise.all(driver.inspect.steps.map(machine.run));
  const reading = driver.inspect.read(answers);
  const found = reading.known ? reading.effects.map(({ target }) => target.text) : reading.why;
  expect(found).toEqual(names);
});

test('a Mac where nobody was ever disabled has no such group', async () => {
  const machine = macAccounts();
  machine.add('alice');
  delete machine.directory.disabled;
  const one = remembering(made(), machine);
  expect(await one.disable(['alice'])).toMatchObject([{ result: 'done' }]);
  expect(machine.directory.disabled).toEqual(['alice']);
  expect(await one.giveBack(['alice'])).toMatchObject([{ result: 'done' }]);
  expect(machine.directory.disabled).toEqual([]);
});

describe('what somebody else has disabled is left to them', () => {
  test.each([
    ['by pwpolicy', (machine: MacAccounts) => void machine.directory.disabled?.push('alice')],
    [
      'by a tag, in the old way',
      ({ directory }: MacAccounts) =>
        void directory.users['alice']?.authority.push(';DisabledUser;'),
    ],
  ])('%s', async (_, disable) => {
    const machine = macAccounts();
    machine.add('alice');
    disable(machine);
    const before = dumpMac(machine);
    const one = remembering(made(), machine);
    expect(await one.disable(['alice'])).toMatchObject([{ result: 'pre-existing' }]);
    expect(await one.giveBack(['alice'])).toMatchObject([{ result: 'done' }]);
    expect(dumpMac(machine)).toBe(before);
  });

  test('while it is held: the tag stays, and the account with it', async () => {
    const machine = macAccounts();
    machine.add('alice');
    const one = remembering(made(), machine);
    await one.disable(['alice']);
    machine.directory.users['alice']?.authority.push(';DisabledUser;');
    await one.giveBack(['alice']);
    expect(machine.directory.disabled).toEqual([]);
    expect(machine.directory.users['alice']?.authority).toContain(';DisabledUser;');
  });
});

test('is not taken at its word', async () => {
  const machine = macAccounts();
  machine.add('alice');
  machine.switches = { ignored: true };
  expect(await remembering(made(), machine).disable(['alice'])).toMatchObject([
    {
      result: 'failed',
      why: expect.stringMatching(/pwpolicy .* -disableuser says it is done, and it is not$/),
    },
  ]);
});

test.each([
  ['root', 'protected', 'is root'],
  ['agent', 'protected', ''],
  ['nobody', 'absent', 'no local account'],
  ['mallory', 'absent', 'no local account'],
  ['alice', 'protected', 'in the group admin'],
  ['bob', 'protected', 'never_disable'],
])('never disables %s', async (name, refusal, why) => {
  const machine = macAccounts();
  machine.add('agent', { uid: process.geteuid?.() ?? 0 });
  machine.add('alice', { groups: ['staff', 'everyone', 'admin'] });
  machine.add('bob');
  const before = dumpMac(machine);
  const driver = made({ neverDisable: '@admin bob' });
  const [carried] = await remembering(driver, machine).disable([name]);
  expect(carried).toMatchObject({ result: 'failed', refusal, why: expect.stringContaining(why) });
  expect(dumpMac(machine)).toBe(before);
});

test('disables nobody where a group is on the list and groups cannot be read', async () => {
  const machine = macAccounts();
  machine.add('alice');
  machine.switches = { missing: ['id'] };
  const driver = made({ neverDisable: '@admin' });
  expect(await remembering(driver, machine).disable(['alice'])).toMatchObject([
    { result: 'failed', why: 'id: id is not there' },
  ]);
});

test.each<[Switches, string]>([
  [{ euid: 501 }, 'pwpolicy needs root'],
  [{ missing: ['pwpolicy'] }, 'pwpolicy does not answer: pwpolicy is not there'],
  [{ nodirectory: true }, 'dscl: Cannot open node'],
])('the probe says what is in the way: %j', async (switches, why) => {
  const machine = macAccounts();
  machine.switches = switches;
  const { probe } = made();
  const answers = [];
  for (const step of probe.steps) answers.push(await machine.run(step));
  expect(probe.read(answers)).toMatchObject({
    usable: false,
    why: expect.stringContaining(why),
  });
});
