/** The simulated tools say and return what their sources have; there are no transcripts of them. */
import { afterEach, describe, expect, test } from 'vitest';
import { bsdAccounts, hash, macAccounts } from '../sim/account-machine.ts';
import { createSimMachine, type SimMachine } from '../sim/machine.ts';
import type { SimSystem, Switches } from '../sim/simulator.ts';

/** What is typed; what it says on standard error; its exit status; what fails on purpose. */
type Row = [line: string, said: string, status: number, switches?: Switches];

const pwRows = (system: SimSystem): Row[] => {
  const isOld = system === 'dragonfly6';
  const root = isOld ? 'you must be root to run this program' : 'you must be root';
  const nobody = isOld ? "no such user `mallory'" : "no such name or uid `4294967295'";
  return [
    ['pw lock alice', '', 0],
    ['pw unlock locked', '', 0],
    ['pw lock locked', "pw: user 'locked' is already locked", 65],
    ['pw unlock alice', "pw: user 'alice' is not locked", 65],
    ['pw lock mallory', `pw: ${nobody}`, 67],
    ['pw usermod -n mallory -e 1', "pw: no such user `mallory'", 67],
    ['pw usermod -n alice -e 1', '', 0],
    ['pw lock a$b', "pw: invalid character `$' at position 1 in userid/group name", 65],
    ['pw lock alice', `pw: ${root}`, 77, { euid: 1_001 }],
    ['pw usermod -n alice -e 1', `pw: ${root}`, 77, { euid: 1_001 }],
    ['pw usershow -n alice -7', '', 0, { euid: 1_001 }],
    ...(isOld
      ? []
      : ([['pw lock alice', 'pw: the password db file is busy', 1, { busy: true }]] as Row[])),
    ['pw lock help', 'simulator: not known: pw lock help', 99],
    ['pw lock -q alice', 'simulator: not known: pw lock -q alice', 99],
    [
      'pw usermod -n alice -e 01-01-2030',
      'simulator: not known: pw usermod -n alice -e 01-01-2030',
      99,
    ],
  ];
};

const openBsd: Row[] = [
  ['usermod -Z alice', '', 0],
  ['usermod -Z -- alice', '', 0],
  ['usermod -Z gone-', "usermod: No such user `gone-'", 1],
  ['usermod -Z shut', "usermod: account `shut' is already locked", 0],
  ['usermod -U alice', "usermod: account `alice' is not locked", 0],
  ['usermod -U star', "usermod: account `star' has no password: cannot fully unlock", 0],
  ['usermod -Z daemon', "usermod: (un)locking is not supported for the `daemon' account", 1],
  ['usermod -Z a$b', "usermod: `a$b' is not a valid login name", 1],
  ['usermod -U -Z alice', "usermod: options 'U' and 'Z' are mutually exclusive", 1],
  ['usermod -Z -p x alice', "usermod: options 'U' or 'Z' with 'p' are mutually exclusive", 1],
  ['usermod -Z alice', 'usermod: Program must be run as root', 1, { euid: 1_001 }],
  [
    'usermod -Z alice',
    "usermod: can't lock `/etc/master.passwd': Resource temporarily unavailable",
    1,
    { busy: true },
  ],
  ['usermod -Z alice', "usermod: can't obtain pw_lock: File exists", 1, { ptmp: true }],
  ['userinfo -e alice', '', 0],
  ['userinfo -e mallory', '', 1],
  ['usermod -C yes alice', 'simulator: not known: usermod -C yes alice', 99],
];

const netBsd: Row[] = [
  ['usermod -C yes alice', '', 0],
  ['usermod -C yes -e 1 -- alice', '', 0],
  ['usermod -C no locked', '', 0],
  ['usermod -C yes locked', 'usermod: Account is already locked', 0],
  ['usermod -C no alice', "usermod: Can't modify user `alice': account is not locked", 0],
  ['usermod -C maybe alice', "usermod: Please type 'yes' or 'no'", 1],
  ['usermod -C yes mallory', "usermod: Can't modify user `mallory': no such user", 1],
  ['usermod -C yes machine$', "usermod: Can't modify user `machine$': invalid login name", 1],
  ['usermod -C yes alice', 'usermod: Program must be run as root', 1, { euid: 1_001 }],
  [
    'usermod -C yes alice',
    "usermod: Can't modify user `alice': can't lock `/etc/master.passwd': Resource temporarily unavailable",
    1,
    { busy: true },
  ],
  [
    'usermod -C yes alice',
    "usermod: Can't modify user `alice': can't obtain pw_lock: File exists",
    1,
    { ptmp: true },
  ],
  ['userinfo -e mallory', '', 1],
  ['usermod -Z alice', 'simulator: not known: usermod -Z alice', 99],
];

const all: [SimSystem, Row[]][] = [
  ['freebsd13', pwRows('freebsd13')],
  ['freebsd15', pwRows('freebsd15')],
  ['dragonfly6', pwRows('dragonfly6')],
  ['openbsd76', openBsd],
  ['netbsd10', netBsd],
];

describe.each(all)('%s', (system, rows) => {
  test.each(rows)('%s: %s [%i] %j', (...row) => {
    const [line, said, status, switches = {}]: Row = row;
    const machine = bsdAccounts(system);
    machine.add('alice');
    machine.add('locked', { password: `*LOCKED*${hash}` });
    machine.add('shut', { password: `*${hash}`, shell: '/bin/ksh-' });
    machine.add('star', { password: '*', shell: '/bin/ksh-' });
    machine.add('daemon', { uid: '1' });
    machine.switches = switches;
    const before = machine.text('/etc/master.passwd');
    const { stderr, exitCode } = machine.call(line.split(' '));
    expect({ stderr, exitCode }).toEqual({
      stderr: said === '' ? '' : `${said}\n`,
      exitCode: status,
    });
    if (status !== 0) expect(machine.text('/etc/master.passwd')).toBe(before);
  });
});

/** usr.sbin/pw/tests/pw_lock_test.sh of FreeBSD has the first two. */
test.each<[SimSystem, string, string, string]>([
  ['freebsd15', 'pw lock x', '*', '*LOCKED**'],
  ['freebsd15', 'pw unlock x', '*LOCKED**', '*'],
  ['dragonfly6', 'pw unlock x', '*LOCKED*', ''],
  ['netbsd10', 'usermod -C no x', `old*LOCKED*${hash}`, hash],
  ['openbsd76', 'usermod -Z x', '', '*'],
  ['openbsd76', 'usermod -U x', '*', '*'],
  ['openbsd76', "usermod -p '' x", '*', ''],
])('%s, %s: %s becomes %s', (system, line, before, after) => {
  const machine = bsdAccounts(system);
  machine.add('x', { password: before });
  machine.call(line.split(' ').map((word) => word.replaceAll("'", '')));
  expect(machine.entry('x')?.password).toBe(after);
});

test('a Mac says what is not there, and refuses what it does not know', () => {
  const machine = macAccounts();
  machine.add('alice');
  const read = 'dscl . -read /Groups/com.apple.access_disabled GroupMembership';
  const asked = (line: string) => {
    const { stdout, stderr, exitCode } = machine.call(line.split(' '));
    return { said: `${stdout}${stderr}`, exitCode };
  };
  expect(asked(read)).toEqual({ said: 'No such key: GroupMembership\n', exitCode: 0 });
  delete machine.directory.disabled;
  const none = '<dscl_cmd> DS Error: -14136 (eDSRecordNotFound)\n';
  expect(asked(read)).toEqual({ said: none, exitCode: 56 });
  expect(asked('dscl . -list /Users UniqueID').said).toMatch(/^alice +501$/m);
  for (const line of [
    'dscl . -append /Users/alice AuthenticationAuthority ;DisabledUser;',
    'pwpolicy -u alice -disableuser',
    'pwpolicy -n /Local/Default -u mallory -disableuser',
    'id -G alice',
    'pkill alice',
  ]) {
    expect(asked(line), line).toMatchObject({ exitCode: 99 });
  }
});

describe('as processes', () => {
  let machine: SimMachine | undefined;
  afterEach(() => machine?.close());

  test('each of them runs under its name and keeps what it did', async () => {
    const file = '/etc/master.passwd';
    machine = await createSimMachine({
      system: 'freebsd15',
      tools: { pw: 'pw.ts', uname: 'uname.ts', test: 'condition.ts', pkill: 'pkill.ts' },
      files: { [file]: `alice:${hash}:1001:1001::0:0:Alice:/home/alice:/bin/sh\n` },
      parts: { processes: [{ pid: 7, uid: 1_001 }] },
    });
    const lines = [
      ['uname -s', 'FreeBSD\n', 0],
      ['test -w /etc/.', '', 0],
      ['pw lock alice', '', 0],
      ['pw lock alice', "pw: user 'alice' is already locked\n", 65],
      ['pkill -KILL -j none -U 1001', '', 0],
      ['pkill -KILL -j none -U 1001', '', 1],
    ] as const;
    for (const [line, said, status] of lines) {
      // `test` is a word of the shell's own.
      const { stdout, stderr, exitCode } = await machine.shell(line.replace(/^test/, 'env test'));
      expect({ line, said: `${stdout}${stderr}`, exitCode }).toEqual({
        line,
        said,
        exitCode: status,
      });
    }
    expect(await machine.run({ kind: 'read-file', path: machine.path(file) })).toMatchObject({
      stdout: expect.stringContaining(`alice:*LOCKED*${hash}:`),
    });
  }, 30_000);
});
