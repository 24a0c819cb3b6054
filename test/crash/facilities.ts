/** The facilities that the agent is killed at work with, and what other people have there. */
import { lstat, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { blockFile } from '../../platform/any/block-file.ts';
import { hostsDeny } from '../../platform/any/hosts-deny.ts';
import type { DriverKind, Settings } from '../../platform/driver.ts';
import { account } from '../../platform/linux/account.ts';
import { firewalld } from '../../platform/linux/firewalld.ts';
import { ipset } from '../../platform/linux/ipset.ts';
import { ipsetSet } from '../../platform/linux/ipset-set.ts';
import { iptables } from '../../platform/linux/iptables.ts';
import { nftables } from '../../platform/linux/nftables.ts';
import { nftablesSet } from '../../platform/linux/nftables-set.ts';
import { routeNull } from '../../platform/linux/route-null.ts';
import type { Runner } from '../../platform/step.ts';
import type { Machine } from '../contract/driver-contract.ts';
import {
  accountMachine,
  dumpAccounts,
  hash,
  insideEtc,
  runnerInside,
} from '../kernel/account-machine.ts';
import { createFirewalld, type FirewalldHost, preparedZone } from '../kernel/firewalld-host.ts';
import { dumpSets, dumpTables, plantRules, plantSet } from '../kernel/xtables.ts';
import { withQuarantine } from './quarantine-place.ts';

export interface Facility {
  readonly name: string;
  readonly needs: readonly string[];
  /** What its agents find of the machine's tools, and no others; absent: all of them. */
  readonly tools?: readonly string[];
  readonly response: string;
  readonly kind: DriverKind;
  settings(folder: string): Settings;
  /** Elements of the configuration, besides those that every agent here has. */
  readonly config: string;
  /** Puts there what somebody else might have. */
  plant(machine: Machine, folder: string): Promise<void>;
  /** Everything the facility holds. */
  dump(machine: Machine, folder: string): Promise<string>;
  /** A dump without what is ours. */
  foreign(dump: string): string;
  /** What it is tried with; absent: addresses. */
  readonly targets?: Targets;
  /** The socket of a D-Bus of its own, besides that of this machine. */
  readonly bus?: (folder: string) => string;
  /** Acts on one thing after the other, which takes its time: no bursts. */
  readonly slow?: boolean;
  /** Ends what `plant` started. */
  close?(folder: string): Promise<void>;
  /** A machine besides the network's, in which the agent and its tools run. */
  readonly inside?: (folder: string) => Inside;
}

export interface Targets {
  /** The member of a request that names them. */
  readonly member: 'user' | 'file';
  readonly target: string;
  readonly bystanders: readonly [string, string];
}

export interface Inside {
  /** A command line, as it has to be to run there. */
  command(argv: readonly string[]): readonly string[];
  /** The agent's runner, as it would be there. */
  readonly run: Runner;
}

const hostsDenyOf = (folder: string): string => join(folder, 'hosts.deny');
const use = (driver: string): string => `<driver response="firewall-drop">${driver}</driver>`;

/** The lines of several answers, as one text. */
const lines = (...parts: readonly string[]): string =>
  `${parts
    .flatMap((part) => part.split('\n'))
    .filter(Boolean)
    .join('\n')}\n`;

const othersTables = `
table inet people {
  set hosts4 {
    type ipv4_addr
    flags timeout
    elements = { 192.0.2.9, 203.0.113.7 }
  }
  chain input {
    type filter hook input priority 0; policy accept;
    ip saddr @hosts4 drop
  }
}
table ip ar-exec {
  chain hosts4-input {
    tcp dport 22 accept
  }
}
`;

const withNftables: Facility = {
  name: 'nftables',
  needs: ['nft'],
  tools: ['nft'],
  response: 'firewall-drop',
  kind: nftables,
  settings: () => nftables.defaults,
  config: use('nftables'),
  plant: async (machine) => {
    await machine.exec(['nft', '-f', '-'], othersTables);
  },
  dump: async (machine) => lines(await machine.exec(['nft', '-s', 'list', 'ruleset'])),
  foreign: (dump) => dump.replace(/^table inet ar-exec \{\n[\s\S]*?^\}\n/m, ''),
};

/** Our chain, and the jumps to it; the sets of ours. */
const oursInTables =
  /^(:ar-exec |-A ar-exec |-A \S+ -j ar-exec$|(create|add) ar-exec-(hosts|nets)[46] ).*\n?/gm;

const withTables = (kind: DriverKind, variant: 'nft' | 'legacy'): Facility => ({
  name: `${kind.name}, ${variant} variant`,
  needs: [`iptables-${variant}`, `ip6tables-${variant}`, ...(kind === ipset ? ['ipset'] : [])],
  tools: [
    ...['iptables', 'ip6tables'].flatMap((tool) =>
      ['', '-save', '-restore'].map((end) => `${tool}-${variant}${end}`),
    ),
    ...(kind === ipset ? ['ipset'] : []),
  ],
  response: 'firewall-drop',
  kind,
  settings: () => ({ ...kind.defaults, variant }),
  config: `${use(kind.name)}<iptables_variant>${variant}</iptables_variant>`,
  plant: async (machine) => {
    await plantRules(machine, variant);
    if (kind === ipset) await plantSet(machine, variant);
  },
  dump: async (machine) => {
    const sets = kind === ipset ? await dumpSets(machine) : '';
    return lines(await dumpTables(machine, variant), sets);
  },
  foreign: (dump) => dump.replaceAll(oursInTables, ''),
});

/** Not UTF-8, mixed line ends, no newline at the end. */
const othersDenials = Buffer.concat([
  Buffer.from('# denials\r\nsshd: 192.0.2.0/255.255.255.0\nALL: 203.0.113.70 \\\n  192.0.2.5\n# '),
  Buffer.from([0xe4, 0xff, 0x00, 0x80]),
  Buffer.from('\n\n\nin.ftpd: ALL'),
]);

const withHostsDeny: Facility = {
  name: 'hosts-deny',
  needs: [],
  tools: [],
  response: 'host-deny',
  kind: hostsDeny,
  settings: (folder) => ({ path: hostsDenyOf(folder) }),
  config: '',
  plant: async (_, folder) => {
    await writeFile(hostsDenyOf(folder), othersDenials, { mode: 0o604 });
  },
  dump: async (_, folder) => {
    const { mode, uid, gid } = await stat(hostsDenyOf(folder));
    const text = await readFile(hostsDenyOf(folder), 'latin1');
    return `${mode.toString(8)} ${uid} ${gid}\n${text}`;
  },
  foreign: (dump) => dump.replace(/^# BEGIN ar-exec .*\n[\s\S]*?^# END ar-exec\n/m, ''),
};

const othersRoutes = [
  'route add blackhole 192.0.2.0/24',
  'route add unreachable 192.0.2.7',
  'route add blackhole 203.0.113.70 proto 99',
  '-6 route add blackhole 2001:db8:ffff::/48',
];

const withRouteNull: Facility = {
  name: 'route-null',
  needs: [],
  tools: ['ip'],
  response: 'route-null',
  kind: routeNull,
  settings: () => routeNull.defaults,
  config: '',
  plant: async (machine) => {
    for (const route of othersRoutes) await machine.exec(['ip', ...route.split(' ')]);
  },
  dump: async (machine) => {
    const lists = ['-4', '-6'].map((family) =>
      machine.exec(['ip', '-N', family, 'route', 'show', 'table', 'all']),
    );
    return lines(...(await Promise.all(lists)));
  },
  foreign: (dump) => dump.replaceAll(/^.* proto 173 .*\n?/gm, ''),
};

const othersSets = `
table inet fence {
  set blocked4 {
    type ipv4_addr
    flags interval, timeout
    elements = { 192.0.2.9, 192.0.2.128-192.0.2.140 comment "by hand" }
  }
  set blocked6 {
    type ipv6_addr
    flags interval, timeout
    elements = { 2001:db8:ffff::/48 timeout 1d }
  }
  chain incoming {
    type filter hook input priority 0; policy accept;
    ip saddr @blocked4 drop
    ip6 saddr @blocked6 drop
  }
}
`;

/** The elements of a set as `nft` prints them, each in a line of its own, without their times. */
const elementLines = (all: string): string =>
  ['', ...all.split(/,\s+/), '']
    .map((one) => one.replace(/ timeout \S+ expires \S+/, ' timeout N'))
    .sort()
    .join('\n');

const withNftablesSet: Facility = {
  name: 'nftables-set',
  needs: ['nft'],
  tools: ['nft'],
  response: 'nftables-drop',
  kind: nftablesSet,
  settings: () => ({
    ...nftablesSet.defaults,
    ipv4: 'inet fence blocked4',
    ipv6: 'inet fence blocked6',
    expiry: 'kernel',
  }),
  config: `<nftables_set>
    <ipv4>inet fence blocked4</ipv4><ipv6>inet fence blocked6</ipv6>
  </nftables_set>`,
  plant: async (machine) => {
    await machine.exec(['nft', '-f', '-'], othersSets);
  },
  dump: async (machine) => {
    const text = await machine.exec(['nft', 'list', 'ruleset']);
    return lines(text.replaceAll(/elements = \{ ([\s\S]*?) \}/g, (_, all) => elementLines(all)));
  },
  foreign: (dump) => dump.replaceAll(/^.* comment "ar-exec"\n/gm, ''),
};

const setOptions = {
  'comments and timeouts': 'timeout 0 comment',
  'no marks, no timeouts': '',
} as const;

/** Without marks only the journal knows whose an entry is. */
const withIpsetSet = (kind: keyof typeof setOptions): Facility => ({
  name: `ipset-set, ${kind}`,
  needs: ['ipset'],
  tools: ['ipset'],
  response: 'nftables-drop',
  kind: ipsetSet,
  settings: () => ({
    ...ipsetSet.defaults,
    ipv4: 'blocked4',
    ipv6: 'blocked6',
    ...(setOptions[kind] === '' ? { marks: 'none', expiry: 'agent' } : {}),
  }),
  config: '<ipset_set><ipv4>blocked4</ipv4><ipv6>blocked6</ipv6></ipset_set>',
  plant: async (machine) => {
    const options = setOptions[kind];
    const sets = [
      `create blocked4 hash:net family inet ${options}`,
      `create blocked6 hash:net family inet6 ${options}`,
      'create others hash:ip',
      'add others 203.0.113.7',
      ...(options === '' ? [] : ['add blocked4 192.0.2.9', 'add blocked6 2001:db8:ffff::/48']),
    ];
    await machine.exec(['ipset', 'restore'], `${sets.join('\n')}\n`);
  },
  dump: async (machine) => lines(await dumpSets(machine)),
  foreign: (dump) =>
    dump.replaceAll(
      setOptions[kind] === '' ? /^add blocked[46] .*\n/gm : /^add .* comment "ar-exec"\n/gm,
      '',
    ),
});

const blockFolderOf = (folder: string): string => join(folder, 'ipblock');

const withBlockFile: Facility = {
  name: 'block-file',
  needs: [],
  tools: [],
  response: 'ip-customblock',
  kind: blockFile,
  settings: (folder) => ({ folder: blockFolderOf(folder) }),
  config: '',
  plant: async (_, folder) => {
    await mkdir(blockFolderOf(folder));
    await writeFile(join(blockFolderOf(folder), '192.0.2.9'), '');
    await writeFile(join(blockFolderOf(folder), '203.0.113.70'), 'since Monday\n');
  },
  dump: async (_, folder) => {
    const names = (await readdir(blockFolderOf(folder))).sort();
    const stats = names.map((name) => lstat(join(blockFolderOf(folder), name)));
    return (await Promise.all(stats))
      .map(({ mode, size, mtimeMs }, index) => {
        return `${names[index]} ${mode.toString(8)} ${size} ${mtimeMs}\n`;
      })
      .join('');
  },
  foreign: (dump) => dump.replaceAll(/^\S+ 1014\d\d 0 .*\n/gm, ''),
};

const etcOf = (folder: string): string => join(folder, 'etc');

const withAccount: Facility = {
  name: 'account',
  needs: ['unshare', 'usermod'],
  tools: ['usermod', 'passwd', 'pkill', 'loginctl', 'id'],
  response: 'disable-account',
  kind: account,
  settings: () => account.defaults,
  config: '',
  targets: { member: 'user', target: 'alice', bystanders: ['bob', 'carol'] },
  inside: (folder) => ({
    command: (argv) => insideEtc(etcOf(folder), argv),
    run: runnerInside(etcOf(folder)),
  }),
  plant: async (_, folder) => {
    const { add } = await accountMachine(folder);
    add('alice', { expire: '40000' });
    add('bob', { field: `!${hash}` });
    add('carol', { field: '' });
    // Half of what a disabled account is.
    add('theirs-locked', { field: `!${hash}` });
    add('theirs-expired', { expire: '1' });
    add('theirs-open');
  },
  dump: async (_, folder) => dumpAccounts({ etc: etcOf(folder) }),
  foreign: (dump) => dump.replaceAll(/^(alice|bob|carol) (is locked|expires \d+)\n/gm, ''),
};

/** What others have: a zone with a source, rules, and one that looks like ours and does something else. */
const othersZone = `<zone target="ACCEPT">
  <source address="192.0.2.77"/>
  <rule family="ipv4"><source address="203.0.113.7"/><drop/></rule>
  <rule family="ipv4" priority="-17373"><source address="203.0.113.70"/><accept/></rule>
</zone>
`;

/** By the folder of the endpoint. */
export const firewalldHosts = new Map<string, FirewalldHost>();

export const withFirewalld = (prepared: boolean): Facility => ({
  name: `firewalld, ${prepared ? 'a zone of ours' : 'rich rules'}`,
  needs: ['nft', 'dbus-daemon', 'firewalld', 'setpriv'],
  tools: ['nft'],
  response: 'firewalld-drop',
  kind: firewalld,
  settings: () =>
    prepared
      ? { mode: 'zone', zone: 'ar-exec', ipset4: 'ar-exec4', ipset6: 'ar-exec6' }
      : { mode: 'rules', zones: 'public trusted', priority: '-17373' },
  config: '',
  slow: true,
  bus: (folder) => join(folder, 'bus'),
  plant: async (machine, folder) => {
    const namespace = (await machine.exec(['ip', 'netns', 'identify'])).trim();
    const files = { 'zones/trusted.xml': othersZone, ...(prepared ? preparedZone : {}) };
    firewalldHosts.set(folder, await createFirewalld({ namespace, folder, files }));
  },
  close: async (folder) => {
    await firewalldHosts.get(folder)?.close();
    firewalldHosts.delete(folder);
  },
  dump: async (machine, folder) => {
    const host = firewalldHosts.get(folder) as FirewalldHost;
    const known = await host.holdings(
      ['public', 'trusted', ...(prepared ? ['ar-exec'] : [])],
      prepared ? ['ar-exec4', 'ar-exec6'] : [],
    );
    return lines(known, await machine.exec(['nft', '-s', 'list', 'ruleset']));
  },
  foreign: (dump) =>
    dump
      .replaceAll(/^.* rule priority="-17373" .* drop\n/gm, '')
      .replaceAll(/^ar-exec[46]? (?!ipset:).*\n/gm, '')
      // What firewalld makes of them in the kernel.
      .replaceAll(/^.*(elements = |198\.51\.100\.0|2001:db8::7|203\.0\.113\.7 drop).*\n/gm, ''),
});

export const facilities: readonly Facility[] = [
  withNftables,
  withTables(ipset, 'nft'),
  withTables(iptables, 'nft'),
  withTables(iptables, 'legacy'),
  withNftablesSet,
  withIpsetSet('comments and timeouts'),
  withIpsetSet('no marks, no timeouts'),
  withHostsDeny,
  withRouteNull,
  withAccount,
  withBlockFile,
  withFirewalld(false),
  withFirewalld(true),
  withQuarantine(false),
  withQuarantine(true),
];
