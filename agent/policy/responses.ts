import type { System } from '../../platform/system.ts';
import type { Target } from '../../platform/target.ts';
import type { Instance, Request } from '../words.ts';

/** A response that can be asked for by name, and the drivers that can carry it out. */
export interface ResponseDefinition {
  readonly name: string;
  /** Names that managers know it by besides; they come to the same. */
  readonly aliases?: readonly string[];
  /** What kind of thing it acts on. */
  readonly target: Target['kind'];
  /** Stateful: it is taken back when its timeout ends, or by `delete`. */
  readonly stateful: boolean;
  /** In order of preference: the first that is usable on the machine is taken. */
  readonly drivers: readonly string[];
  /** Its driver wants to know more of the alert than the target; that is written down with it. */
  readonly wantsFacts?: boolean;
  /** What it does, for people. */
  readonly summary: string;
  /** What carries it out, where no choice is to be made: it is a script. */
  readonly instance?: Instance;
  /** What names its action, for a target that is named. Absent: the alert, or nothing. */
  readonly nameOf?: (request: Request) => string;
  /** An address in the request must not be one that is never blocked. */
  readonly guardsAddress?: boolean;
}

/** The built-in responses. The table of docs/responses.md is made from this list by `npm run docs`. */
export const responses: readonly ResponseDefinition[] = [
  {
    name: 'firewall-drop',
    aliases: ['default-firewall-drop', 'firewall-drop.sh'],
    target: 'address',
    stateful: true,
    drivers: ['nftables', 'ipset', 'iptables', 'pf', 'ipfw', 'npf', 'netsh'],
    summary: 'drops every packet that comes from the address, for this machine or through it',
  },
  {
    name: 'nftables-drop',
    aliases: ['nftables-drop.sh'],
    target: 'address',
    stateful: true,
    drivers: ['nftables-set', 'ipset-set'],
    summary: 'puts the address into a set of yours; your own rules say what happens to it',
  },
  {
    name: 'block-ip',
    target: 'address',
    stateful: true,
    // What cuts off more comes first. Where firewalld runs on iptables, its reload takes the rules of
    // others with it, so it is asked itself. A route keeps any connection from coming about; hosts.deny
    // only counts for the few services that ask tcp wrappers.
    drivers: [
      'nftables',
      'firewalld',
      'ipset',
      'iptables',
      'pf',
      'ipfw',
      'npf',
      'netsh',
      'route-null',
      'route-null-bsd',
      'route-null-windows',
      'hosts-deny',
      'hosts-allow',
    ],
    summary: 'blocks the address with the best facility that the machine has and that works',
  },
  {
    name: 'firewalld-drop',
    aliases: ['firewalld-drop.sh'],
    target: 'address',
    stateful: true,
    drivers: ['firewalld'],
    summary:
      'has firewalld drop what comes from the address, without touching its permanent configuration',
  },
  {
    name: 'netsh',
    aliases: ['netsh-win-2016'],
    target: 'address',
    stateful: true,
    drivers: ['netsh'],
    summary: 'has the Windows firewall block every packet from the address and to it',
  },
  {
    name: 'ipfw',
    aliases: ['ipfw.sh'],
    target: 'address',
    stateful: true,
    drivers: ['ipfw'],
    summary: 'has ipfw deny every packet from the address and to it',
  },
  {
    name: 'ipfw_mac',
    aliases: ['ipfw_mac.sh'],
    target: 'address',
    stateful: true,
    // macOS has had no ipfw since 10.10.
    drivers: ['pf'],
    summary: 'has pf drop every packet from the address and to it, in the place of ipfw',
  },
  {
    name: 'npf',
    aliases: ['npf.sh'],
    target: 'address',
    stateful: true,
    drivers: ['npf'],
    summary: 'puts the address into a table of npf, which a rule of yours blocks',
  },
  {
    name: 'pf',
    aliases: ['pf.sh'],
    target: 'address',
    stateful: true,
    drivers: ['pf'],
    summary: 'has pf drop every packet from the address and to it',
  },
  {
    name: 'host-deny',
    aliases: ['host-deny.sh'],
    target: 'address',
    stateful: true,
    drivers: ['hosts-deny', 'hosts-allow'],
    summary: 'denies the address in hosts.deny, for services that use tcp wrappers',
  },
  {
    name: 'route-null',
    aliases: ['route-null.sh', 'route-null-2012'],
    target: 'address',
    stateful: true,
    drivers: ['route-null', 'route-null-bsd', 'route-null-windows'],
    summary: 'discards what this machine would send to the address; packets from it still arrive',
  },
  {
    name: 'ip-customblock',
    aliases: ['ip-customblock.sh'],
    target: 'address',
    stateful: true,
    drivers: ['block-file'],
    summary: 'makes a file named by the address, for programs of your own that look for it',
  },
  {
    name: 'restart-wazuh',
    aliases: ['restart.sh'],
    target: 'named',
    stateful: false,
    drivers: ['restart-agent', 'restart-agent-windows'],
    summary: "restarts the manager's agent on this machine",
  },
  {
    name: 'restart-ossec',
    aliases: ['restart-ossec.sh'],
    target: 'named',
    stateful: false,
    drivers: ['restart-agent', 'restart-agent-windows'],
    summary: "restarts the manager's agent on this machine",
  },
  {
    name: 'kill-process',
    target: 'process',
    stateful: false,
    drivers: ['kill-process', 'kill-process-windows'],
    wantsFacts: true,
    summary: 'ends a process, if the program that is named runs under its number',
  },
  {
    name: 'disable-account',
    aliases: ['disable-account.sh'],
    target: 'user',
    stateful: true,
    drivers: ['account', 'account-bsd', 'account-macos', 'account-windows'],
    summary: 'disables an account of this machine: no login with a password, nor with a key',
  },
  {
    name: 'quarantine-file',
    target: 'file',
    stateful: true,
    drivers: ['quarantine', 'quarantine-windows'],
    wantsFacts: true,
    summary: 'moves a file to where nobody can run it; it is put back when that ends',
  },
  {
    name: 'wazuh-slack',
    aliases: ['ossec-slack', 'ossec-slack.sh', 'slack'],
    target: 'named',
    stateful: false,
    drivers: ['slack'],
    wantsFacts: true,
    summary: 'tells a chat: Slack, Mattermost, Microsoft Teams, Discord, or a webhook of your own',
  },
  {
    name: 'ossec-tweeter',
    aliases: ['ossec-tweeter.sh'],
    target: 'named',
    stateful: false,
    drivers: ['x-post'],
    wantsFacts: true,
    summary: 'posts to X or Mastodon',
  },
  {
    name: 'mail-alert',
    aliases: ['mail-test', 'mail-test.sh'],
    target: 'named',
    stateful: false,
    drivers: ['mail'],
    wantsFacts: true,
    summary: 'sends a mail',
  },
  {
    name: 'ossec-pagerduty',
    aliases: ['ossec-pagerduty.sh'],
    target: 'named',
    stateful: false,
    drivers: ['pagerduty'],
    wantsFacts: true,
    summary: 'opens an alert at PagerDuty',
  },
];

/** The built-in response that a name, or an alias of it, stands for. */
export function findResponse(name: string): ResponseDefinition | undefined {
  return responses.find((one) => one.name === name || one.aliases?.includes(name) === true);
}

/** The same on a system: on Windows a name can have the ending of an executable, and capital letters. */
export function findResponseOn(system: System, name: string): ResponseDefinition | undefined {
  const found = findResponse(name);
  return found !== undefined || system !== 'win32'
    ? found
    : findResponse(name.toLowerCase().replace(/\.(?:exe|cmd)$/, ''));
}
