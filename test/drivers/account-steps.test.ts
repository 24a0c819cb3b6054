/** What is printed of the steps is what is run on a machine where all of it is needed. */
import { describe, expect, test } from 'vitest';
import { stepText } from '../../agent/cli/steps.ts';
import { accountBsd } from '../../platform/bsd/account.ts';
import type { Memory } from '../../platform/driver.ts';
import { accountMacos } from '../../platform/macos/account.ts';
import type { Step } from '../../platform/step.ts';
import type { UserTarget } from '../../platform/target.ts';
import { bsdAccounts, hash, macAccounts } from '../sim/account-machine.ts';
import { remembering } from './remembering.ts';

const alice: UserTarget = { kind: 'user', text: 'alice' };
const text = (steps: readonly Step[]) => steps.map(stepText).join('\n');
const changes = /^(pw (lock|unlock|usermod)|usermod|pwpolicy .* -(dis|en)ableuser)/;
/** Command lines as they were run, where `''` has no letters. */
const lines = (printed: string) =>
  printed
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.replaceAll("''", ''));

const rows: readonly [
  string,
  'freebsd15' | 'dragonfly6' | 'netbsd10' | 'openbsd76',
  string,
  object,
  string,
  string,
][] = [
  [
    'freebsd',
    'freebsd15',
    'yes',
    {},
    'pw lock alice\npw usermod -n alice -e 1',
    'pw unlock alice\npw usermod -n alice -e 0',
  ],
  ['freebsd', 'freebsd15', 'no', {}, 'pw lock alice', 'pw unlock alice'],
  [
    'freebsd',
    'freebsd15',
    'yes',
    { password: '' },
    'pw lock alice\npw usermod -n alice -e 1',
    'pw unlock alice\npw usermod -n alice -e 0',
  ],
  [
    'dragonfly',
    'dragonfly6',
    'yes',
    { expire: '4102444800' },
    'pw lock alice\npw usermod -n alice -e 1',
    'pw unlock alice\npw usermod -n alice -e 4102444800',
  ],
  ['netbsd', 'netbsd10', 'yes', {}, 'usermod -C yes -e 1 -- alice', 'usermod -C no -e 0 -- alice'],
  ['netbsd', 'netbsd10', 'no', {}, 'usermod -C yes -- alice', 'usermod -C no -- alice'],
  ['openbsd', 'openbsd76', 'yes', {}, 'usermod -Z -- alice', 'usermod -U -- alice'],
  [
    'openbsd',
    'openbsd76',
    'yes',
    { password: '' },
    'usermod -Z -- alice',
    "usermod -p '' -s /bin/sh -- alice",
  ],
  [
    'openbsd',
    'openbsd76',
    'yes',
    { password: '*' },
    'usermod -Z -- alice',
    'usermod -s /bin/sh -- alice',
  ],
];

describe.each(rows)('%s (%s), expire %s, %j', (system, sim, expire, state, disabled, former) => {
  test('prints what it runs', async () => {
    const machine = bsdAccounts(sim);
    machine.add('alice', { password: hash, ...state });
    const driver = accountBsd.make({ ...accountBsd.defaults, system, expire });
    const one = remembering(driver, machine);
    await one.disable(['alice']);
    const made = machine.ran.filter((line) => changes.test(line));
    await one.giveBack(['alice']);
    const undone = machine.ran.filter((line) => changes.test(line)).slice(made.length);
    const memory = one.memories.get('alice') as Memory;
    const head = (what: string) => `# if alice is still number 1001, what of this is ${what}:\n`;
    const [apply, revert] = [
      text(driver.apply([{ target: alice, memory }])),
      text(driver.revert([{ target: alice, memory }])),
    ];
    expect(apply).toBe(`${head('not so yet')}${disabled}`);
    expect(revert).toBe(`${head('still ours')}${former}`);
    expect(lines(apply)).toEqual(made);
    expect(lines(revert)).toEqual(undone);
  });
});

test('macOS prints what it runs', async () => {
  const machine = macAccounts();
  machine.add('alice');
  const driver = accountMacos.make({ ...accountMacos.defaults, endSessions: 'yes' });
  const one = remembering(driver, machine);
  await one.disable(['alice']);
  await one.giveBack(['alice']);
  const memory = one.memories.get('alice') as Memory;
  const made = text(driver.apply([{ target: alice, memory }]));
  const undone = text(driver.revert([{ target: alice, memory }]));
  expect(machine.ran.filter((line) => changes.test(line) || line.startsWith('pkill'))).toEqual([
    ...lines(made),
    ...lines(undone),
  ]);
});

test.each([
  ['freebsd', 'pkill -KILL -j none -U 1001'],
  ['openbsd', 'pkill -KILL -U 1001'],
])('sessions on %s', (system, line) => {
  const driver = accountBsd.make({ ...accountBsd.defaults, system, endSessions: 'yes' });
  expect(text(driver.apply([{ target: alice, memory: { uid: '1001' } }]))).toContain(`\n${line}`);
});
