import { describe, expect, test } from 'vitest';
import { accountBsd } from '../../platform/bsd/account.ts';
import type { UserTarget } from '../../platform/target.ts';
import { driverContract, type Machine } from '../contract/driver-contract.ts';
import {
  type BsdAccounts,
  bsdAccounts,
  dumpBsd,
  hash,
  otherHash,
  plantUsers,
  users,
} from '../sim/account-machine.ts';
import { processesOf } from '../sim/pkill.ts';
import type { SimSystem, Switches } from '../sim/simulator.ts';
import { remembering } from './remembering.ts';

const systems = {
  freebsd13: 'freebsd',
  freebsd15: 'freebsd',
  dragonfly6: 'dragonfly',
  netbsd10: 'netbsd',
  openbsd76: 'openbsd',
} as const;
const cases = Object.entries(systems) as [keyof typeof systems, string][];

const made = (sim: SimSystem, settings: Readonly<Record<string, string>> = {}) =>
  accountBsd.make({
    ...accountBsd.defaults,
    system: systems[sim as keyof typeof systems],
    ...settings,
  });

/** Accounts of somebody else that are half of what a disabled one is. */
const plantForeign = async (machine: Machine): Promise<void> => {
  const { add } = machine as BsdAccounts;
  add('theirs-open');
  add('theirs-expired', { expire: '1' });
  add('theirs-service', { password: '*' });
};

for (const [sim, system] of cases) {
  const dollar = system === 'netbsd' ? [] : ['machine$'];
  driverContract<UserTarget>({
    name: `account-bsd on ${sim}`,
    kind: accountBsd,
    settings: { ...accountBsd.defaults, system },
    samples: {
      few: users(['alice', 'bob', 'carol']),
      bulk: 100,
      many: (count) => users(Array.from({ length: count }, (_, number) => `user-${number}`)),
      odd: users(['Upper', '_low', 'do.t', 'da-sh', '9lives', 'x'.repeat(31), ...dollar]),
      plant: async (machine, all) => {
        const mine = machine as BsdAccounts;
        plantUsers(mine, (name) => mine.entry(name) !== undefined, all);
      },
    },
    machine: async () => bsdAccounts(sim),
    dump: async (machine) => dumpBsd(machine as BsdAccounts),
    plantForeign,
    damages: {},
  });
}

/** What a password field is while the account is disabled, by the field that it was. */
const locked = (sim: string, field: string): string => {
  if (sim !== 'openbsd76') return field.startsWith('*LOCKED*') ? field : `*LOCKED*${field}`;
  return field.startsWith('*') ? field : `*${field}`;
};

describe.each(cases)('%s', (sim, system) => {
  const fields = [
    '',
    '*',
    '*'.repeat(13),
    hash,
    `*LOCKED*${hash}`,
    '*LOCKED*',
    `*${hash}`,
    '*LOCKED**',
  ];
  const ends = ['0', '', '1', '946684800', '4102444800'];
  const states = fields.flatMap((password) => ends.map((expire) => ({ password, expire })));

  test.each(['yes', 'no'])(
    `gives back each of ${states.length} states, expire %s`,
    async (expire) => {
      const machine = bsdAccounts(sim);
      const one = remembering(made(sim, { expire }), machine);
      const names = states.map((_, index) => `user-${index}`);
      states.forEach((state, index) => void machine.add(names[index] ?? '', state));
      await one.disable(names);
      const sets = expire === 'yes' && system !== 'openbsd';
      const was = new Set(one.preExisting);
      for (const [index, state] of states.entries()) {
        const name = names[index] ?? '';
        const { password, expire: end, shell } = machine.entry(name) ?? {};
        const meant = {
          password: locked(sim, state.password),
          expire: sets ? '1' : state.expire,
          shell: system === 'openbsd' ? '/bin/sh-' : '/bin/sh',
        };
        // Tools write a 0 where nothing stood.
        expect({ password, expire: end || '0', shell }, JSON.stringify(state)).toEqual({
          ...meant,
          expire: meant.expire || '0',
        });
        const isSo =
          locked(sim, state.password) === state.password && (!sets || state.expire === '1');
        expect(was.has(name), JSON.stringify(state)).toBe(isSo && system !== 'openbsd');
      }
      const held = names.filter((name) => !was.has(name));
      for (const carried of await one.giveBack(held))
        expect(carried).toMatchObject({ result: 'done' });
      for (const [index, state] of states.entries()) {
        const { password, expire: end, shell } = machine.entry(names[index] ?? '') ?? {};
        expect({ password, expire: end || '0', shell }, JSON.stringify(state)).toEqual({
          password: state.password,
          expire: state.expire || '0',
          shell: '/bin/sh',
        });
      }
    },
  );

  test('what an administrator does meanwhile is not undone', async () => {
    const machine = bsdAccounts(sim);
    const one = remembering(made(sim), machine);
    const before: Record<string, string> = { alice: hash, bob: '', carol: hash, dave: hash };
    for (const [name, password] of Object.entries(before)) machine.add(name, { password });
    await one.disable(Object.keys(before));
    const disabled = Object.fromEntries(
      Object.keys(before).map((name) => [name, machine.entry(name)?.password ?? '']),
    );
    const set = (name: string, field: string) =>
      machine.edit('/etc/master.passwd', (text) =>
        text.replace(new RegExp(`^${name}:[^:]*`, 'm'), () => `${name}:${field}`),
      );
    // A new password; one where there was none; the password taken away; the account gone.
    set('alice', otherHash);
    set('bob', otherHash);
    set('carol', '');
    machine.edit('/etc/master.passwd', (text) => text.replace(/^dave:.*\n/m, ''));
    for (const name of ['alice', 'bob', 'carol']) {
      expect(await one.disable([name]), name).toMatchObject([{ result: 'done' }]);
    }
    expect(machine.entry('alice')?.password).toBe(locked(sim, otherHash));
    const [alice, bob, carol, dave] = await one.giveBack(['alice', 'bob', 'carol', 'dave']);
    expect([alice, bob, dave]).toMatchObject([
      { result: 'done' },
      { result: 'done' },
      { result: 'done' },
    ]);
    expect(carol).toMatchObject({
      result: 'done',
      why: 'its password was taken away meanwhile: it stays locked',
    });
    expect(machine.entry('alice')).toMatchObject({ password: otherHash, shell: '/bin/sh' });
    expect(machine.entry('carol')?.password).toBe(locked(sim, ''));
    // What had no password gets the one that it was given meanwhile, or stays locked: never none.
    expect(machine.entry('bob')?.password).not.toBe('');
    expect(disabled['bob']).toBe(locked(sim, ''));
  });

  test('accounts are read without their hashes', async () => {
    const machine = bsdAccounts(sim);
    machine.add('alice');
    const { stdout } = await machine.run({ kind: 'read-accounts', system: systems[sim] });
    expect(stdout).not.toContain('$2b$');
    expect(JSON.parse(stdout)).toMatchObject({
      accounts: [
        { name: 'root', uid: 0 },
        { name: 'alice', uid: 1_001, password: 'open' },
      ],
    });
  });

  test('a lock of somebody else, by a mark of its own, stays', async () => {
    const machine = bsdAccounts(sim);
    machine.add('alice');
    const one = remembering(made(sim), machine);
    await one.disable(['alice']);
    const mark = system === 'openbsd' ? '*' : '*LOCKED*';
    machine.edit('/etc/master.passwd', (text) => text.replace('alice:', `alice:${mark}`));
    expect(await one.giveBack(['alice'])).toMatchObject([{ result: 'done' }]);
    expect(machine.entry('alice')).toMatchObject({
      password: `${mark}${mark}${hash}`,
      expire: '0',
      shell: '/bin/sh',
    });
  });

  test('a tool that hangs is a failure, and nothing is said to be disabled', async () => {
    const machine = bsdAccounts(sim);
    machine.add('alice');
    machine.switches = { hang: ['pw', 'usermod'] };
    expect(await remembering(made(sim), machine).disable(['alice'])).toMatchObject([
      { result: 'failed', why: expect.stringContaining('took too long') },
    ]);
  });

  test('a name that belongs to another number by now is left alone', async () => {
    const machine = bsdAccounts(sim);
    machine.add('alice');
    const one = remembering(made(sim), machine);
    await one.disable(['alice']);
    machine.edit('/etc/master.passwd', (text) => text.replace(/^alice:.*\n/m, ''));
    machine.add('alice', { password: locked(sim, otherHash), expire: '1', shell: '/bin/sh-' });
    const now = machine.text('/etc/master.passwd');
    expect(await one.giveBack(['alice'])).toMatchObject([{ result: 'done' }]);
    expect(machine.text('/etc/master.passwd')).toBe(now);
  });

  test.each([
    ['root', 'protected', 'is root'],
    ['toor', 'protected', 'is root'],
    ['agent', 'protected', ''],
    ['nobody-here', 'absent', 'not in /etc/master.passwd'],
    ['+nis', 'absent', 'not in /etc/master.passwd'],
    ['alice', 'protected', 'in the group admins'],
    ['carol', 'protected', 'in the group staff'],
    ['bob', 'protected', 'never_disable'],
    ['double', undefined, 'stands twice'],
    ['short', undefined, 'cannot be understood'],
    ['late', undefined, 'cannot be understood'],
    ['a$b', undefined, 'do not take'],
  ])('never disables %s', async (name, refusal, why) => {
    const machine = bsdAccounts(sim);
    machine.add('toor', { uid: '0' });
    machine.add('agent', { uid: `${process.geteuid?.()}` });
    for (const one of ['alice', 'bob', 'double', 'double', 'a$b']) machine.add(one);
    machine.add('carol', { gid: '7000' });
    machine.add('late', { expire: 'soon' });
    machine.edit('/etc/master.passwd', (text) => `${text}+nis:::::::::\nshort:*:1500:1500:x\n`);
    machine.edit('/etc/group', (text) => `${text}admins:*:700:dave,alice\nstaff:*:7000:\n`);
    const neverDisable = '@admins @staff bob';
    const before = machine.text('/etc/master.passwd');
    const [carried] = await remembering(made(sim, { neverDisable }), machine).disable([name]);
    expect(carried).toMatchObject({ result: 'failed', why: expect.stringContaining(why) });
    expect(carried?.refusal).toBe(refusal);
    expect(machine.text('/etc/master.passwd')).toBe(before);
  });

  test('says what is in the way', async () => {
    const look = async (switches: Switches, change = (text: string) => text) => {
      const machine = bsdAccounts(sim);
      machine.switches = switches;
      machine.edit('/etc/master.passwd', change);
      const { probe } = accountBsd.make(accountBsd.defaults);
      const answers = [];
      for (const step of probe.steps) answers.push(await machine.run(step));
      return probe.read(answers);
    };
    const tool = ['freebsd', 'dragonfly'].includes(system) ? 'pw' : 'usermod';
    expect(await look({})).toMatchObject({
      usable: true,
      why: expect.stringMatching(new RegExp(`^${tool}.*, password and`)),
      settled: { system, expire: 'yes' },
    });
    expect(await look({ missing: ['pw', 'userinfo'] })).toMatchObject({
      usable: false,
      why: `${tool} is not installed`,
    });
    expect(await look({ readonly: '/etc' })).toMatchObject({
      usable: false,
      why: '/etc can not be written to',
    });
    expect(await look({}, () => '')).toMatchObject({
      usable: false,
      why: '/etc/master.passwd is not there, or empty',
    });
  });

  test('waits for another tool that has the file, and tells when it does not let go', async () => {
    if (sim === 'dragonfly6') return;
    const machine = bsdAccounts(sim);
    machine.add('alice');
    machine.switches = { busy: true };
    const one = remembering(made(sim), machine);
    expect(await one.disable(['alice'])).toMatchObject([
      { result: 'failed', why: expect.stringMatching(/busy|can't lock/) },
    ]);
    const tries = machine.ran.filter((line) => line.includes('alice')).length;
    expect(tries).toBeGreaterThan(2);
    const working = one.disable(['alice']);
    machine.switches = {};
    expect(await working).toMatchObject([{ result: 'done' }]);
  });

  test('ends what the account has running, once it is disabled', async () => {
    const machine = bsdAccounts(sim);
    const uid = machine.add('alice');
    machine.parts['processes'] = [
      { pid: 7, uid },
      { pid: 8, uid: 2_000 },
      { pid: 9, uid, jailed: true },
    ];
    await remembering(made(sim, { endSessions: 'yes' }), machine).disable(['alice']);
    const left = processesOf(machine.parts).map(({ pid }) => pid);
    expect(left).toEqual(system === 'freebsd' ? [8, 9] : [8]);
    expect(machine.ran.at(-1)).toMatch(/^pkill -KILL .*-U \d+$/);
  });

  test('remarks what does not end', async () => {
    const machine = bsdAccounts(sim);
    const uid = machine.add('alice');
    machine.parts['processes'] = [{ pid: 7, uid, stuck: true }];
    expect(
      await remembering(made(sim, { endSessions: 'yes' }), machine).disable(['alice']),
    ).toMatchObject([
      { result: 'done', why: 'its sessions did not end: some of its processes still run' },
    ]);
  });
});

describe('OpenBSD', () => {
  test('refuses what usermod could not give back', async () => {
    const machine = bsdAccounts('openbsd76');
    machine.add('half', { shell: '/bin/ksh-' });
    machine.add('_daemon', { uid: '999' });
    machine.add('bare', { shell: '' });
    const one = remembering(made('openbsd76'), machine);
    for (const [name, why] of [
      ['half', 'has a locked shell and an open password'],
      ['_daemon', 'below 1000'],
      ['bare', 'has no shell'],
    ] as const) {
      expect(await one.disable([name])).toMatchObject([
        { result: 'failed', why: expect.stringContaining(why) },
      ]);
    }
    expect(machine.ran.filter((line) => line.startsWith('usermod'))).toEqual([]);
  });

  test('what was locked as a whole before is left to whoever did it', async () => {
    const machine = bsdAccounts('openbsd76');
    machine.add('alice', { password: `*${hash}`, shell: '/bin/ksh-' });
    const one = remembering(made('openbsd76'), machine);
    await one.disable(['alice']);
    expect(one.preExisting).toEqual(['alice']);
  });

  test('an account with a lock on its password alone is given back with it', async () => {
    const machine = bsdAccounts('openbsd76');
    machine.add('alice', { password: `*${hash}`, shell: '/bin/ksh' });
    const one = remembering(made('openbsd76'), machine);
    await one.disable(['alice']);
    expect(machine.entry('alice')).toMatchObject({ password: `*${hash}`, shell: '/bin/ksh-' });
    await one.giveBack(['alice']);
    expect(machine.entry('alice')).toMatchObject({ password: `*${hash}`, shell: '/bin/ksh' });
    expect(machine.ran).toContain('usermod -s /bin/ksh -- alice');
    expect(machine.ran.join('\n')).not.toContain('-U');
  });
});

test('FreeBSD: a name that pw takes for a word of its own is refused', async () => {
  const machine = bsdAccounts('freebsd15');
  machine.add('help');
  expect(await remembering(made('freebsd15'), machine).disable(['help'])).toMatchObject([
    { result: 'failed', why: expect.stringContaining('word of its own') },
  ]);
});
