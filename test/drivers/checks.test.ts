import { describe, expect, test } from 'vitest';
import { hostsDeny } from '../../platform/any/hosts-deny.ts';
import type { Finding, Question } from '../../platform/driver.ts';
import { clock } from '../../platform/linux/checks/clock.ts';
import { fastPaths } from '../../platform/linux/checks/fast-paths.ts';
import { firewallsBeside } from '../../platform/linux/checks/firewalls-beside.ts';
import { flowTools } from '../../platform/linux/checks/flow-tools.ts';
import { kernel } from '../../platform/linux/checks/kernel.ts';
import { rights } from '../../platform/linux/checks/rights.ts';
import { iptables } from '../../platform/linux/iptables.ts';
import { routeNull } from '../../platform/linux/route-null.ts';
import type { Step, StepResult } from '../../platform/step.ts';
import { failed, said } from './show.ts';

type Answers = Readonly<Record<string, StepResult>>;

/** Answers the steps whose text has the key in it; files that are not named are absent. */
function ask(question: Question<readonly Finding[]> | undefined, answers: Answers) {
  if (question === undefined) throw new Error('there is no question');
  const text = (step: Step) =>
    step.kind === 'command' ? [step.tool, ...step.args].join(' ') : 'path' in step ? step.path : '';
  const results = question.steps.map((step) => {
    const key = Object.keys(answers).find((one) => text(step).includes(one));
    const nothing = step.kind === 'command' ? failed() : said('');
    return key === undefined ? nothing : (answers[key] ?? nothing);
  });
  return question.read(results);
}

const ids = (findings: readonly Finding[]) => findings.map(({ id, level }) => `${level} ${id}`);

const status = (uid: string, capabilities: string) =>
  said(`Name:\tnode\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\nCapEff:\t${capabilities}\n`);

describe('rights', () => {
  test.each<[string, Answers, string[]]>([
    ['root', { status: status('0', '000001ffffffffff') }, []],
    ['a user', { status: status('1000', '0000000000000000') }, ['warning not-root']],
    // docker run without --cap-add: cap_net_raw is there, cap_net_admin is not.
    [
      'root in a container without the right',
      { status: status('0', '00000000a80425fb'), '.dockerenv': said('') },
      ['problem no-net-admin', 'note container'],
    ],
    [
      'root in a container of systemd-nspawn',
      { status: status('0', '000001ffffffffff'), environ: said('A=b\0container=systemd-nspawn\0') },
      ['note container'],
    ],
    ['a system without /proc', {}, []],
  ])('%s', (_, answers, expected) => {
    expect(ids(ask(rights, answers))).toEqual(expected);
  });
});

test.each<[string, Answers, string[]]>([
  [
    'NTPSynchronized=yes',
    { timedatectl: said('NTPSynchronized=yes\n') },
    ['ok clock-synchronised'],
  ],
  [
    'NTPSynchronized=no',
    { timedatectl: said('NTPSynchronized=no\n') },
    ['warning clock-not-synchronised'],
  ],
  ['no systemd', { timedatectl: failed('System has not been booted') }, ['note clock-unknown']],
])('the clock: %s', (_, answers, expected) => {
  expect(ids(ask(clock, answers))).toEqual(expected);
});

describe('the kernel', () => {
  const whole = {
    sockstat6: said('TCP6: inuse 1\n'),
    disable_ipv6: said('0\n'),
    '/proc/modules': said('xfs 1 0 - Live 0x0\n'),
    modprobe: said(''),
    osrelease: said('6.1.0-18-amd64\n'),
  };
  test.each<[string, Answers, string[]]>([
    ['all is there', whole, []],
    ['IPv6 is off by sysctl', { ...whole, disable_ipv6: said('1\n') }, ['note no-ipv6']],
    ['IPv6 is not built in', { ...whole, sockstat6: said('') }, ['note no-ipv6']],
    ['its modules are gone', { ...whole, modprobe: failed() }, ['warning modules-missing']],
    [
      'its modules are gone and the one is loaded',
      { ...whole, modprobe: failed(), '/proc/modules': said('nf_tables 1 0 - Live 0x0\n') },
      [],
    ],
    ['it has no modules', { ...whole, modprobe: failed(), '/proc/modules': said('') }, []],
    [
      'its modules are those of the host of this container',
      { ...whole, modprobe: failed(), '.containerenv': said('') },
      [],
    ],
  ])('%s', (_, answers, expected) => {
    expect(ids(ask(kernel, answers))).toEqual(expected);
  });
});

describe('ways around the packet filter', () => {
  // As libnftables-json(5) has it; one device is a plain text.
  const flowtable = (dev: unknown) =>
    said(
      JSON.stringify({
        nftables: [
          { metainfo: { version: '1.0.6' } },
          { flowtable: { family: 'inet', name: 'ft', table: 'fw4', handle: 1, prio: 0, dev } },
        ],
      }),
    );
  const link = (name: string, more: object = {}) => ({ ifname: name, ...more });
  const bridge = (called: number) =>
    link('br0', { linkinfo: { info_kind: 'bridge', info_data: { nf_call_iptables: called } } });
  const ports = [link('tap0', { master: 'br0' }), link('tap1', { master: 'br0' })];

  test.each([['eth0'], [['eth0', 'eth1']]])('a flowtable on %s', (dev) => {
    const [finding, ...rest] = ask(fastPaths, { flowtables: flowtable(dev) });
    expect(finding).toMatchObject({ id: 'flow-offload', level: 'warning' });
    expect(finding?.what).toContain(`fw4 ft (${[dev].flat().join(', ')})`);
    expect(rest).toEqual([]);
  });

  test.each<[string, Answers, string[]]>([
    ['nothing', { flowtables: said('{"nftables":[]}'), 'link show': said('[]') }, []],
    ['no tools', {}, []],
    ['an answer that is none', { flowtables: said('?'), 'link show': said('{}') }, []],
    [
      'an XDP program',
      { 'link show': said(JSON.stringify([link('eth0', { xdp: { mode: 1 } })])) },
      ['note xdp-program'],
    ],
    [
      'a bridge with two ports',
      { 'link show': said(JSON.stringify([bridge(0), ...ports])) },
      ['note bridge-not-filtered'],
    ],
    ['a bridge with one port', { 'link show': said(JSON.stringify([bridge(0), ports[0]])) }, []],
    ['a bridge that asks', { 'link show': said(JSON.stringify([bridge(1), ...ports])) }, []],
    [
      'a bridge, and all of them ask',
      {
        'link show': said(JSON.stringify([bridge(0), ...ports])),
        'bridge-nf-call-iptables': said('1\n'),
      },
      [],
    ],
  ])('%s', (_, answers, expected) => {
    expect(ids(ask(fastPaths, answers))).toEqual(expected);
  });
});

describe('firewalls beside ours', () => {
  const chains = (...list: object[]) =>
    said(JSON.stringify({ nftables: list.map((chain) => ({ chain })) }));
  const input = { family: 'ip', table: 'filter', name: 'INPUT' };

  test.each<[string, Answers, string[]]>([
    ['none', { 'list chains': chains() }, []],
    ['iptables-nft alone', { 'list chains': chains(input) }, []],
    ['iptables-legacy alone', { ip_tables_names: said('filter\n') }, []],
    [
      'both',
      { 'list chains': chains(input), ip_tables_names: said('filter\n') },
      ['warning both-iptables'],
    ],
    [
      'firewalld, by its table',
      { 'list chains': chains({ family: 'inet', table: 'firewalld', name: 'filter_INPUT' }) },
      ['note firewalld-beside'],
    ],
    ['firewalld, by its service', { firewalld: said('') }, ['note firewalld-beside']],
    ['ufw', { 'ufw.conf': said('# x\nENABLED=yes\nLOGLEVEL=low\n') }, ['note ufw-beside']],
    ['ufw, disabled', { 'ufw.conf': said('ENABLED=no\n') }, []],
    [
      'docker',
      { 'list chains': chains({ family: 'ip', table: 'filter', name: 'DOCKER-USER' }) },
      ['note docker-beside'],
    ],
    ['docker with iptables-legacy', { 'docker.sock': said('') }, ['note docker-beside']],
    [
      'docker with tables of nftables',
      { 'list chains': chains({ family: 'ip', table: 'docker-bridges', name: 'filter-FORWARD' }) },
      ['note docker-beside'],
    ],
    [
      'the service nftables with a flush',
      { 'is-active --quiet nftables': said(''), 'nftables.conf': said('#!/x\nflush ruleset\n') },
      ['note flush-ruleset'],
    ],
    ['its file without its service', { 'nftables.conf': said('flush ruleset\n') }, []],
  ])('%s', (_, answers, expected) => {
    expect(ids(ask(firewallsBeside, answers))).toEqual(expected);
  });
});

test('tools that end connections', () => {
  const missing: StepResult = { failure: 'missing', stdout: '', stderr: '' };
  const found = ask(flowTools, { ss: said('ss'), conntrack: missing });
  expect(ids(found)).toEqual(['note flow-tool-missing']);
  expect(found[0]).toMatchObject({ missing: ['conntrack'] });
});

describe('services that read hosts.deny', () => {
  const { diagnose } = hostsDeny.make(hostsDeny.defaults);
  const program = (needed: string[], mentions: string[] = []) =>
    said(JSON.stringify({ needed, mentions }));
  const wrapped = program(['libwrap.so.0', 'libc.so.6']);
  const plain = program(['libc.so.6']);

  test.each<[string, Answers, string[]]>([
    ['sshd with libwrap', { '/usr/sbin/sshd': wrapped }, ['ok hosts-deny-read']],
    [
      'sshd with libwrap inside',
      { '/usr/sbin/sshd': program([], ['/etc/hosts.deny']) },
      ['ok hosts-deny-read'],
    ],
    // OpenSSH 9.8: the part that takes the connection is a program of its own.
    [
      'sshd without and sshd-session with it',
      { '/usr/sbin/sshd': plain, '/usr/lib/openssh/sshd-session': wrapped },
      ['ok hosts-deny-read'],
    ],
    ['sshd without it', { '/usr/sbin/sshd': plain }, ['warning hosts-deny-not-read-by-sshd']],
    [
      'vsftpd with and sshd without it',
      { '/usr/sbin/sshd': plain, vsftpd: wrapped },
      ['ok hosts-deny-read', 'warning hosts-deny-not-read-by-sshd'],
    ],
    ['an sshd that nobody may read, alone', { '/usr/sbin/sshd': failed('EACCES') }, []],
    ['none of them', {}, ['warning hosts-deny-not-read']],
    [
      'hosts.allow for everybody',
      { '/usr/sbin/sshd': wrapped, 'hosts.allow': said('# x\nALL : ALL\n') },
      ['ok hosts-deny-read', 'warning hosts-allow-everybody'],
    ],
    [
      'hosts.allow for some',
      { '/usr/sbin/sshd': wrapped, 'hosts.allow': said('sshd: 192.0.2.0/24\n#ALL: ALL\n') },
      ['ok hosts-deny-read'],
    ],
  ])('%s', (_, answers, expected) => {
    expect(ids(ask(diagnose, answers))).toEqual(expected);
  });
});

describe('routing rules before the main table', () => {
  const { diagnose } = routeNull.make(routeNull.defaults);
  const rules = (...more: object[]) =>
    said(
      JSON.stringify([
        { priority: 0, src: 'all', table: '255' },
        ...more,
        { priority: 32766, src: 'all', table: '254' },
        { priority: 32767, src: 'all', table: '253' },
      ]),
    );
  test.each<[string, Answers, string[]]>([
    ['none', { '-4 rule': rules(), '-6 rule': rules() }, []],
    [
      'one for a source',
      { '-4 rule': rules({ priority: 100, src: '192.0.2.0', srclen: 24, table: '100' }) },
      ['warning routes-passed-by'],
    ],
    // What wg-quick makes for AllowedIPs = 0.0.0.0/0: main first, but for its default route.
    [
      'those of wg-quick',
      {
        '-4 rule': rules(
          { priority: 32764, src: 'all', table: '254', suppress_prefixlen: '0' },
          { priority: 32765, not: null, src: 'all', fwmark: '0xca6c', table: '51820' },
        ),
      },
      [],
    ],
    [
      'one that looks at main for some only',
      {
        '-6 rule': rules(
          { priority: 10, src: 'all', iif: 'eth1', table: '254' },
          { priority: 20, src: 'all', fwmark: '0x1', table: '7' },
        ),
      },
      ['warning routes-passed-by'],
    ],
  ])('%s', (_, answers, expected) => {
    expect(ids(ask(diagnose, answers))).toEqual(expected);
  });
});

describe('the chain of iptables', () => {
  const { diagnose } = iptables.make(iptables.defaults);
  const save = (...lines: string[]) =>
    said(
      ['*mangle', ':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ...lines, 'COMMIT', ''].join(
        '\n',
      ),
    );
  const jumps = ['-A INPUT -j ar-exec', '-A FORWARD -j ar-exec'];
  const rules = Array.from({ length: 1_000 }, () => '-A ar-exec -s 192.0.2.1/32 -j DROP');

  test.each<[string, StepResult, string[]]>([
    ['not there', save('-A INPUT -i lo -j ACCEPT'), []],
    ['first', save(':ar-exec - [0:0]', ...jumps, '-A INPUT -i lo -j ACCEPT'), []],
    [
      'behind another rule',
      save(':ar-exec - [0:0]', '-A INPUT -i lo -j ACCEPT', ...jumps),
      ['warning chain-not-first'],
    ],
    ['long', save(':ar-exec - [0:0]', ...jumps, ...rules), ['note many-rules']],
  ])('%s', (_, answer, expected) => {
    const none = save();
    expect(ids(ask(diagnose, { 'iptables-save': answer, 'ip6tables-save': none }))).toEqual(
      expected,
    );
  });
});
