import { describe, expect, test } from 'vitest';
import { stepText } from '../../agent/cli/steps.ts';
import type { UserTarget } from '../../platform/target.ts';
import { accountWindows } from '../../platform/windows/account.ts';
import { driverContract } from '../contract/driver-contract.ts';
import { users } from '../sim/account-machine.ts';
import type { Switches } from '../sim/simulator.ts';
import {
  dumpWindows,
  machineSid,
  type WindowsAccounts,
  windowsAccounts,
} from '../sim/windows-accounts.ts';
import { remembering } from './remembering.ts';

const made = (settings: Readonly<Record<string, string>> = {}) =>
  accountWindows.make({ ...accountWindows.defaults, ...settings });

driverContract<UserTarget>({
  name: 'account-windows',
  kind: accountWindows,
  samples: {
    few: users(['alice', 'bob', 'carol']),
    bulk: 100,
    many: (count) => users(Array.from({ length: count }, (_, number) => `user-${number}`)),
    odd: users(['jane doe', 'jürgen', 'машина', '123', 'svc$', "o'neil", '-dash', '%path%', 'a&b']),
    plant: async (machine, all) => {
      const mine = machine as WindowsAccounts;
      for (const { text } of all) if (mine.account(text) === undefined) mine.add(text);
    },
  },
  machine: async () => windowsAccounts(),
  dump: async (machine) => dumpWindows(machine as WindowsAccounts),
  plantForeign: async (machine) => void (machine as WindowsAccounts).add('theirs-open'),
  damages: {},
});

describe.each(['en', 'de'])('a Windows that speaks %s', (language) => {
  test('disables and gives back, whatever is said', async () => {
    const machine = windowsAccounts();
    machine.switches = { language };
    machine.add('Alice');
    const one = remembering(made(), machine);
    expect(await one.disable(['alice'])).toMatchObject([{ result: 'done' }]);
    expect(machine.account('alice')?.disabled).toBe(true);
    expect(await one.giveBack(['alice'])).toMatchObject([{ result: 'done' }]);
    expect(machine.account('alice')?.disabled).toBe(false);
    expect(machine.ran).toEqual(['net user alice /active:no', 'net user alice /active:yes']);
  });
});

test('who was disabled before stays so', async () => {
  const machine = windowsAccounts();
  machine.add('alice', { disabled: true });
  const one = remembering(made(), machine);
  expect(await one.disable(['alice'])).toMatchObject([{ result: 'pre-existing' }]);
  expect(await one.giveBack(['alice'])).toMatchObject([{ result: 'done' }]);
  expect(machine.account('alice')?.disabled).toBe(true);
  expect(machine.ran).toEqual([]);
});

test('a name that belongs to another number by now is left alone', async () => {
  const machine = windowsAccounts();
  machine.add('alice');
  const one = remembering(made(), machine);
  await one.disable(['alice']);
  machine.remove('alice');
  machine.add('alice', { disabled: true });
  expect(await one.giveBack(['alice'])).toMatchObject([{ result: 'done' }]);
  expect(machine.account('alice')?.disabled).toBe(true);
});

test.each<[Switches, string]>([
  [{ ignored: true }, 'net user alice /active:no says it is done, and it is not'],
  [{ denied: true }, 'System error 5 has occurred.'],
  [{ denied: true, language: 'de' }, 'Systemfehler 5 aufgetreten.'],
  [{ hang: ['net'] }, 'took too long'],
  [{ missing: ['net'] }, 'net is not there'],
  [{ unreadable: 'NetUserEnum: access is denied (5)' }, 'access is denied'],
])('%j is a failure, and nothing is said to be disabled', async (switches, why) => {
  const machine = windowsAccounts();
  machine.add('alice');
  machine.switches = switches;
  expect(await remembering(made(), machine).disable(['alice'])).toMatchObject([
    { result: 'failed', why: expect.stringContaining(why) },
  ]);
  expect(machine.account('alice')?.disabled).toBe(false);
});

test.each([
  ['chef', 'protected', 'built-in administrator (number 500)'],
  ['standard', 'protected', 'number 503'],
  ['wdag', 'protected', 'number 504'],
  ['agent', 'protected', 'the account that ar-exec runs as (number 1001)'],
  ['nobody', 'absent', 'no account of this machine'],
  ['alice', 'protected', 'in the group administratoren'],
  ['bob', 'protected', 'never_disable'],
  ['carol', 'protected', 's-1-5-32-551'],
  ['jane doe', 'protected', `${machineSid}-1006`.toLowerCase()],
])('never disables %s', async (name, refusal, why) => {
  const machine = windowsAccounts();
  machine.agent = `${machineSid}-1001`;
  machine.add('Agent');
  machine.add('Chef', { rid: 500 });
  machine.add('Standard', { rid: 503 });
  machine.add('WDAG', { rid: 504 });
  machine.add('Alice', { groups: [{ name: 'Administratoren', sid: 'S-1-5-32-544' }] });
  machine.add('Bob');
  machine.add('Carol', { groups: [{ name: 'Opérateurs', sid: 'S-1-5-32-551' }] });
  machine.add('other');
  machine.add('Jane Doe');
  const before = dumpWindows(machine);
  const neverDisable = `@Administratoren BOB @S-1-5-32-551 @${machineSid}-1006`;
  const [carried] = await remembering(made({ neverDisable }), machine).disable([name]);
  expect(carried).toMatchObject({ result: 'failed', refusal, why: expect.stringContaining(why) });
  expect(dumpWindows(machine)).toBe(before);
});

test('the guest can be disabled: it is nobody’s way in', async () => {
  const machine = windowsAccounts();
  machine.add('Gast', { rid: 501 });
  expect(await remembering(made(), machine).disable(['gast'])).toMatchObject([{ result: 'done' }]);
});

test('an agent that runs as Windows itself is none of its accounts', async () => {
  const machine = windowsAccounts();
  machine.add('alice', { rid: 18 });
  expect(await remembering(made(), machine).disable(['alice'])).toMatchObject([{ result: 'done' }]);
});

test('disables nobody where a group is on the list and groups cannot be read', async () => {
  const machine = windowsAccounts();
  machine.add('alice');
  machine.switches = { nogroups: true };
  const driver = made({ neverDisable: '@S-1-5-32-544' });
  expect(await remembering(driver, machine).disable(['alice'])).toMatchObject([
    { result: 'failed', why: 'its groups: access is denied (5)' },
  ]);
});

test.each<[Switches, boolean, string]>([
  [{}, true, 'net user'],
  [{ language: 'de' }, true, 'net user'],
  [{ missing: ['net'] }, false, 'net does not answer: net is not there'],
  [{ unreadable: 'a domain controller has no accounts of its own' }, false, 'domain controller'],
])('the probe says what is in the way: %j', async (switches, usable, why) => {
  const machine = windowsAccounts();
  machine.switches = switches;
  const { steps, read } = made().probe;
  const answers = await Promise.all(steps.map(machine.run));
  expect(read(answers)).toMatchObject({ usable, why: expect.stringContaining(why) });
});

test('sessions are ended after the door is shut', () => {
  const [target] = users(['alice']);
  if (target === undefined) throw new Error('no target');
  const steps = made({ endSessions: 'yes' }).apply([{ target, memory: { uid: '1001' } }]);
  expect(steps).toMatchObject([
    { kind: 'change-account', user: 'alice', uid: 1_001, system: 'win32' },
    { kind: 'end-sessions', uid: 1_001, system: 'win32' },
  ]);
  expect(steps.map(stepText).join('\n')).toMatchInlineSnapshot(`
    "# if alice is still number 1001, what of this is not so yet:
    net user alice /active:no
    logoff of each session of account number 1001  # and its processes are ended"
  `);
});
