import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type AgentStatus, agentFindings } from '../../agent/doctor/agent-findings.ts';
import { installCommand, isPackaged, readDistribution } from '../../agent/doctor/packages.ts';
import {
  groupFindings,
  journalFindings,
  logFindings,
  type Place,
} from '../../agent/doctor/place-findings.ts';
import {
  type DriverState,
  type ResponseState,
  sortFindings,
  withInstall,
} from '../../agent/doctor/report.ts';
import { driverState, responseFindings } from '../../agent/doctor/response-findings.ts';
import { scriptFindings } from '../../agent/doctor/script-findings.ts';
import { checks } from '../../platform/checks.ts';
import type { Finding } from '../../platform/driver.ts';
import { drivers, oneShots } from '../../platform/index.ts';
import { readRows } from './read-table.ts';

const ids = (findings: readonly Finding[]) => findings.map(({ id, level }) => `${level} ${id}`);

describe('the command that installs a tool', () => {
  const on = (lines: string) => readDistribution(lines);
  test.each([
    ['ID=debian\nVERSION_ID="12"', 'apt-get install iptables nftables'],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"', 'apt-get install iptables nftables'],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"', 'dnf install iptables-nft nftables'],
    ['ID="opensuse-leap"\nID_LIKE="suse opensuse"', 'zypper install iptables nftables'],
    ['ID=arch', 'pacman -S iptables nftables'],
    ['ID=alpine', 'apk add iptables nftables'],
    ['ID=plan9', undefined],
    ['', undefined],
  ])('%s', (osRelease, command) => {
    expect(installCommand(['nft', 'iptables-restore', 'ip6tables-save'], on(osRelease))).toBe(
      command,
    );
  });

  test('is not named for a tool whose package nobody knows, or for nothing', () => {
    const debian = on('ID=debian');
    expect(installCommand(['nft', 'quux'], debian)).toBeUndefined();
    expect(installCommand([], debian)).toBeUndefined();
  });

  test('the name for people', () => {
    expect(on('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"').name).toBe(
      'Debian GNU/Linux 12 (bookworm)',
    );
  });

  // On the other systems these tools are part of the system itself.
  const onLinux = [...drivers, ...oneShots].filter(({ about }) => about?.systems.includes('Linux'));

  test.each(onLinux)('is known for every tool that $name asks for', (kind) => {
    const steps = kind.make(kind.defaults).probe.steps;
    const tools = steps.flatMap((step) => (step.kind === 'command' ? [step.tool] : []));
    expect(tools.filter((tool) => !isPackaged(tool))).toEqual([]);
  });
});

describe('the agent', () => {
  const nft: DriverState = {
    driver: 'nftables',
    usable: true,
    why: 'nft v1.0.6',
    families: [4, 6],
    missing: [],
  };
  const here = { version: '1.2.0', socket: '/run/x.sock', drivers: [nft], asRoot: true };
  const status: AgentStatus = {
    version: '1.2.0',
    pid: 7,
    healthy: true,
    actions: { active: 2, missing: 0, reverting: 0 },
    drivers: [{ driver: 'nftables', usable: true, why: 'nft v1.0.6' }],
  };
  const found = (change: Partial<AgentStatus>, more: Partial<typeof here> = {}) =>
    agentFindings({ answers: true, status: { ...status, ...change } }, { ...here, ...more });

  test('runs well', () => {
    expect(ids(found({}))).toEqual(['ok agent-healthy']);
  });

  test('runs, and is not well', () => {
    const [finding] = found({
      healthy: false,
      actions: { active: 1, missing: 2, reverting: 0 },
      drivers: [{ driver: 'nftables', usable: true, why: '', trouble: ['nft: exit 1'] }],
    });
    expect(finding).toMatchObject({ level: 'problem', id: 'agent-troubled' });
    expect(finding?.what).toContain('2 missing; nftables: nft: exit 1');
  });

  test('is well but for a socket in place of execd', () => {
    const [open, displaced] = [
      { path: '/q/execq' },
      { path: '/q/com', trouble: 'another program listens there already', remedy: 'End it.' },
    ];
    const execd = { sockets: [open, displaced] };
    const [finding, ...others] = found({ healthy: false, execd });
    expect(finding).toMatchObject({
      level: 'problem',
      id: 'execd-not-replaced',
      remedy: 'End it.',
    });
    expect(finding?.what).toContain('/q/com');
    expect(others).toEqual([]);
    const actions = { active: 1, missing: 2, reverting: 0 };
    expect(ids(found({ healthy: false, execd, actions }))).toEqual([
      'problem agent-troubled',
      'problem execd-not-replaced',
    ]);
  });

  test('is of another version', () => {
    expect(ids(found({ version: '1.1.0' }))).toContain('warning agent-other-version');
  });

  test.each([
    [true, { ...nft, usable: false, why: 'nft is not installed' }, 'cannot now'],
    [false, nft, 'can be used now'],
  ])('chose its drivers when things were otherwise (usable: %s)', (usable, now, words) => {
    const then = { drivers: [{ driver: 'nftables', usable, why: '' }] };
    const finding = found(then, { drivers: [now] }).find(({ id }) => id === 'driver-changed');
    expect(finding?.what).toContain(words);
    expect(ids(found(then, { drivers: [now], asRoot: false }))).toEqual(['ok agent-healthy']);
  });

  test.each([
    ['ENOENT', 'warning agent-absent'],
    ['ECONNREFUSED', 'warning agent-absent'],
    ['EACCES', 'warning agent-not-allowed'],
    ['EPERM', 'warning agent-not-allowed'],
    // The connection was made, and nobody answers: it hangs.
    [undefined, 'problem agent-absent'],
  ])('does not answer: %s', (code, expected) => {
    expect(ids(agentFindings({ answers: false, why: 'no', code }, here))).toEqual([expected]);
  });

  test.each([
    ['ENOENT', 'net start ar-exec. If there is no such service: ar-exec service install'],
    ['EPERM', 'Run as administrator'],
  ])('on Windows, %s: says what helps there', (code, remedy) => {
    const windows = { ...here, system: 'win32' as const };
    const [finding] = agentFindings({ answers: false, why: 'no', code }, windows);
    expect(finding?.remedy).toContain(remedy);
  });
});

describe('the folder of the journal', () => {
  const place: Place = {
    path: '/var/lib/ar-exec',
    kind: 'folder',
    uid: 0,
    mode: 0o700,
    writable: true,
    fileSystem: 'disk',
    freeBytes: 1e12,
  };
  test.each<[string, Partial<Place>, string[]]>([
    ['as it should be', {}, []],
    ['not there yet', { kind: 'absent', writable: false }, ['note journal-folder-absent']],
    ['a file', { kind: 'file' }, ['problem journal-folder-unusable']],
    ["somebody else's", { uid: 1000 }, ['problem journal-folder-owner']],
    ['open to others', { mode: 0o770 }, ['problem journal-folder-open']],
    ['read-only', { writable: false }, ['problem journal-folder-unwritable']],
    ['in memory', { fileSystem: 'memory' }, ['warning journal-volatile']],
    ['on the network', { fileSystem: 'network' }, ['warning journal-remote']],
    ['in a layer', { fileSystem: 'overlay' }, ['note journal-in-layer']],
    ['nearly full', { freeBytes: 50e6 }, ['warning journal-room']],
    ['full', { freeBytes: 1e6 }, ['problem journal-room']],
    ['hidden from this user', { kind: 'hidden', writable: false }, []],
  ])('is %s', (_, change, expected) => {
    expect(ids(journalFindings({ ...place, ...change }, 0))).toEqual(expected);
  });

  test('is not judged by a user who is not root', () => {
    expect(journalFindings({ ...place, writable: false }, 1000)).toEqual([]);
  });

  test('a log that cannot be written is told, and one whose folder will be made is not', () => {
    const folder = { ...place, path: '/var/log' };
    const found = (change: Partial<Place>) =>
      ids(logFindings('The log', '/var/log/x', { ...folder, ...change }));
    expect(found({ writable: false })).toEqual(['warning log-unwritable']);
    expect(found({ kind: 'absent', writable: false })).toEqual([]);
    expect(found({})).toEqual([]);
  });

  test('a group that is not there is told', () => {
    expect(groupFindings('ar-exec', true)).toEqual([]);
    expect(ids(groupFindings('ar-exec', false))).toEqual(['note socket-group-absent']);
  });
});

describe('responses', () => {
  const debian = readDistribution('ID=debian');
  const absent = { usable: false, why: 'nft is not installed', families: [] as const };
  const nft = driverState('nftables', absent, ['nft'], debian);
  const deny = driverState('hosts-deny', { usable: true, why: '', families: [4, 6] }, [], debian);
  const response = (name: string, more: Partial<ResponseState> = {}): ResponseState => ({
    response: name,
    actsOnAddresses: true,
    pinned: false,
    why: '',
    ...more,
  });
  const drop = response('firewall-drop');
  const hostDeny = response('host-deny', { ipv4: 'hosts-deny', ipv6: 'hosts-deny' });
  const found = (...responses: ResponseState[]) =>
    responseFindings(
      responses,
      [nft, deny],
      (name) => (name === 'firewall-drop' ? ['nftables'] : ['hosts-deny']),
      debian,
    );

  test('one that cannot be carried out says why, and what would mend it', () => {
    expect(nft.install).toBe('apt-get install nftables');
    expect(found(drop, hostDeny)).toEqual([
      {
        id: 'response-unavailable',
        level: 'note',
        what: 'firewall-drop cannot be carried out here. nftables: nft is not installed.',
        remedy: 'apt-get install nftables',
      },
    ]);
  });

  test('one whose drivers somebody named is a problem', () => {
    const pinned = { ...drop, pinned: true };
    expect(ids(found(pinned, hostDeny))).toEqual(['problem response-unavailable']);
  });

  test('none that blocks an address is a problem', () => {
    const kill = response('kill-process', { actsOnAddresses: false, driver: 'kill-process' });
    expect(ids(found(drop, kill))).toEqual(['problem nothing-blocks', 'note response-unavailable']);
  });

  test('one that acts on one family only says so', () => {
    expect(ids(found({ ...hostDeny, ipv6: undefined }))).toEqual(['note one-family-only']);
  });
});

test('a script that would not be run is told', () => {
  const script = (more: object) => ({ name: 'tell', declared: false, fit: false, ...more });
  expect(scriptFindings([script({ fit: true })])).toEqual([]);
  expect(scriptFindings([script({ kind: 'absent' })])).toEqual([]);
  expect(
    ids(
      scriptFindings([
        script({ kind: 'absent', declared: true, why: 'it is not there' }),
        script({ kind: 'untrusted', why: 'everybody can write to it' }),
      ]),
    ),
  ).toEqual(['warning script-absent', 'warning script-untrusted']);
});

test('what mends a missing tool is told for this system', () => {
  const finding: Finding = { id: 'a', level: 'note', what: 'a', missing: ['conntrack'] };
  const on = (osRelease: string) => withInstall(finding, readDistribution(osRelease)).remedy;
  expect(on('ID=debian')).toBe('apt-get install conntrack');
  expect(on('ID=fedora')).toBe('dnf install conntrack-tools');
  expect(on('ID=plan9')).toBeUndefined();
});

test('the worst comes first, and what is found twice is told once', () => {
  const finding = (level: Finding['level'], id: string): Finding => ({ id, level, what: id });
  const list = [
    finding('ok', 'a'),
    finding('note', 'b'),
    finding('problem', 'c'),
    finding('note', 'b'),
    finding('warning', 'd'),
  ];
  expect(sortFindings(list).map(({ id }) => id)).toEqual(['c', 'd', 'b', 'a']);
});

test('every check has a name of its own and changes nothing', () => {
  const names = checks.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
  const changing = ['edit-block', 'name-files'];
  const steps = checks.flatMap(({ question }) => question.steps);
  expect(steps.filter(({ kind }) => changing.includes(kind))).toEqual([]);
});

test('docs/doctor.md has every finding that there is, and no other', () => {
  const sources = globSync('{agent/doctor,platform}/**/*.ts').concat('agent/checkup.ts');
  const there = sources.flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/\bid: '([a-z0-9-]+)'|problem\(\s*'([a-z-]+)'/g)].map(
      ([, id, problem]) => id ?? problem ?? '',
    ),
  );
  const rows = readRows(readFileSync('docs/doctor.md', 'utf8')).filter((row) => row.length === 3);
  const told = rows.slice(1).map(([id]) => id);
  expect(told.toSorted()).toEqual([...new Set(there)].toSorted());
});
