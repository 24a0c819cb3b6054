import type { AddressTarget } from '../../platform/target.ts';
import type { ActiveResponse, CommandDefinition } from '../words.ts';
import type { Notification } from './notifications.ts';
import { neverEnded, quarantineRoots } from './path-defaults.ts';
import type { ScriptDeclaration } from './scripts.ts';
import {
  absolutePath,
  absolutePathOr,
  absolutePathOrNone,
  agentId,
  agentName,
  duration,
  firewalldName,
  groupName,
  ipfwTable,
  ipSet,
  nftSet,
  npfTable,
  oneOf,
  pathList,
  pfAnchor,
  pfTable,
  wholeNumber,
} from './setting.ts';

/** Everything that can be configured. docs/configuration.md has the elements and their bounds. */
export interface Config {
  /** Addresses and prefixes that are never blocked, besides those the agent protects by itself. */
  readonly neverBlock: readonly AddressTarget[];
  /** The managers, as written: addresses or host names. They are never blocked either. */
  readonly managers: readonly string[];
  /** The manager's `<command>`s. Default: none. */
  readonly commands: readonly CommandDefinition[];
  /** The manager's `<active-response>`s that name a command. Default: none. */
  readonly activeResponses: readonly ActiveResponse[];
  /** Whether the manager's file turns active responses off on this machine. Default false. */
  readonly activeResponseDisabled: boolean;
  /** How long the second, third … offence of the same target is answered. Default: like the first. */
  readonly repeatedOffenderSeconds: readonly number[];
  /** The quiet time, in seconds, after which an offence is a first one again. Default 86400. */
  readonly repeatedOffendersForgetSeconds: number;
  /** The id by which the manager knows this machine's agent, `001`. Default: none. */
  readonly agentId: string | undefined;
  /** The name by which the manager knows it. Default: none. */
  readonly agentName: string | undefined;
  /** What this machine is where an active response names its place. Default 'agent'. */
  readonly agentRole: 'agent' | 'manager';
  /** The file of alerts that is followed. Default: none. */
  readonly alertsFile: string | undefined;
  /** The shortest prefix length that a block may have, IPv4. Default 16. */
  readonly widestPrefixIpv4: number;
  /** The same, IPv6. Default 32. */
  readonly widestPrefixIpv6: number;
  /** Response → the drivers it may use, in order of preference. Default: none, the agent chooses. */
  readonly drivers: ReadonlyMap<string, readonly string[]>;
  /** Which iptables to use where there are two. Default '': the one that is in use already. */
  readonly iptablesVariant: 'nft' | 'legacy' | '';
  /** What an administrator has made in firewalld for us: a zone, and ipsets that are sources of it. */
  readonly firewalld: {
    /** Default 'ar-exec'. */
    readonly zone: string;
    /** Default 'ar-exec4'. */
    readonly ipset4: string;
    /** Default 'ar-exec6'. */
    readonly ipset6: string;
  };
  /** Where the system's D-Bus listens. Default '/run/dbus/system_bus_socket'. */
  readonly dbusSocket: string;
  /** The file that host-deny edits. Default /etc/hosts.deny. */
  readonly hostsDenyFile: string;
  /** The folder in which ip-customblock makes a file for each address. Default /ipblock. */
  readonly blockFolder: string;
  /** Where the manager's agent is installed. Default /var/ossec. */
  readonly managerHome: string;
  /** Whose execd's place is taken, below `managerHome`. Default 'no'. */
  readonly managerQueue: 'no' | 'wazuh4' | 'ossec' | 'wazuh5';
  /** The manager's own file, or `none`. Default: none here, `etc/ossec.conf` below managerHome. */
  readonly managerConfig: string | undefined;
  /** The sets of the administrator's that nftables-set fills, by full name; '' for none. */
  readonly nftablesSet: { readonly ipv4: string; readonly ipv6: string };
  /** The same for ipset-set. */
  readonly ipsetSet: { readonly ipv4: string; readonly ipv6: string };
  /** Where pf puts addresses: '' for our anchor, `ar_exec` for our table in it, else one of the administrator's. */
  readonly pf: { readonly anchor: string; readonly table: string };
  /** The table of ipfw that is filled, and the number of the rules that deny it; platform/bsd/ipfw.ts. */
  readonly ipfw: { readonly table: string; readonly rule: string };
  /** Whether null routes of Windows come back when it starts anew: 'persistent'. Default 'active'. */
  readonly routeNull: { readonly store: 'active' | 'persistent' };
  /** The table of npf that is filled. Default 'ar_exec'. */
  readonly npf: { readonly table: string };
  /** How kill-process ends a process, and which it never ends; platform/linux/kill-process.ts. */
  readonly killProcess: {
    readonly grace: string;
    readonly family: 'no' | 'yes';
    readonly clockSkew: string;
    readonly never: string;
  };
  /** Where quarantine-file keeps files, and which it may take; platform/linux/quarantine.ts. */
  readonly quarantine: {
    readonly folder: string;
    readonly roots: string;
    readonly never: string;
  };
  /** How disable-account disables an account, and which it never does; platform/linux/account.ts. */
  readonly disableAccount: {
    readonly expire: 'yes' | 'no';
    readonly endSessions: 'yes' | 'no';
    /** Names of accounts, and of groups with an @ before them. */
    readonly never: readonly string[];
  };
  /** Who is told of alerts, and how. Default: nobody. */
  readonly notifications: readonly Notification[];
  /** Response → what is declared of its script. */
  readonly scripts: ReadonlyMap<string, ScriptDeclaration>;
  /** The response folder. Default: none here, default-paths.ts decides. */
  readonly scriptsFolder: string | undefined;
  /** How long a run of a script may take. Default 60. */
  readonly scriptTimeLimitSeconds: number;
  /** How long a tool of the system may take. Default 20. */
  readonly toolTimeLimitSeconds: number;
  /** What happens to connections that stand with an address that is blocked. Default 'auto'. */
  readonly establishedConnections: 'auto' | 'end' | 'keep';
  /** What happens to standing effects when the agent is stopped. Default 'keep'. */
  readonly onStop: 'keep' | 'revert';
  /** The group that may use the socket, besides root. Default 'ar-exec'. */
  readonly socketGroup: string;
  readonly limits: {
    /** Connections to the socket at a time. Default 256. */
    readonly connections: number;
    /** Bytes of one message. Default 131072: what execd hands to an executable, 65,535 bytes, and more. */
    readonly messageBytes: number;
    /** Requests that wait to be carried out. Default 100000. */
    readonly pendingRequests: number;
    /** Actions that stand at a time. Default 100000. */
    readonly activeActions: number;
    /** Scripts that run at a time, for taking back as many again. Default 16. */
    readonly scriptsAtOnce: number;
    /** Requests that one connection is read in a second. Default 50000. */
    readonly requestsPerSecond: number;
  };
  /** When what alerts ask for is refused; policy/breaker.ts. */
  readonly breaker: {
    /** Default 2000. */
    readonly perMinute: number;
    /** Default 20000. */
    readonly held: number;
    /** Default 300. */
    readonly calmSeconds: number;
  };
  readonly history: {
    /** Days for which an ended action is remembered. Default 30. */
    readonly keepDays: number;
    /** Ended actions that are remembered at most. Default 100000. */
    readonly keepEntries: number;
  };
  /** Seconds between two comparisons of the machine with the journal. Default 60. */
  readonly reconcileEverySeconds: number;
  /** The least important messages that are logged. Default 'info'. */
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** The log's file. Default: none, standard output. */
  readonly logFile: string | undefined;
  /** The file that a manager's agent reads. Default: none here, default-paths.ts decides. */
  readonly activeResponsesLog: string | undefined;
  /** The file of results, or 'none'. Default: none here, it is beside active-responses.log. */
  readonly resultsLog: string | undefined;
}

/** The settings that are given once at most. */
export const settings = {
  widestPrefixIpv4: wholeNumber('widest_prefix_ipv4', 16, { min: 1, max: 32 }),
  widestPrefixIpv6: wholeNumber('widest_prefix_ipv6', 32, { min: 1, max: 128 }),
  iptablesVariant: oneOf('iptables_variant', '', ['nft', 'legacy', '']),
  firewalldZone: firewalldName('firewalld/zone', 'ar-exec', 17),
  firewalldIpset4: firewalldName('firewalld/ipset_ipv4', 'ar-exec4', 31),
  firewalldIpset6: firewalldName('firewalld/ipset_ipv6', 'ar-exec6', 31),
  dbusSocket: absolutePathOr('dbus_socket', '/run/dbus/system_bus_socket'),
  hostsDenyFile: absolutePathOr('hosts_deny_file', '/etc/hosts.deny'),
  blockFolder: absolutePathOr('block_folder', '/ipblock'),
  managerHome: absolutePathOr('manager_home', '/var/ossec'),
  managerQueue: oneOf('manager_queue', 'no', ['no', 'wazuh4', 'ossec', 'wazuh5']),
  managerConfig: absolutePathOrNone('manager_config'),
  agentId: agentId('agent_id'),
  agentName: agentName('agent_name'),
  agentRole: oneOf('agent_role', 'agent', ['agent', 'manager']),
  alertsFile: absolutePath('alerts_file'),
  repeatedOffendersForget: duration('repeated_offenders_forget', 86_400, {
    min: 600,
    max: 31_536_000,
  }),
  nftablesSetIpv4: nftSet('nftables_set/ipv4', 'inet filter ossec_ar4'),
  nftablesSetIpv6: nftSet('nftables_set/ipv6', 'inet filter ossec_ar6'),
  ipsetSetIpv4: ipSet('ipset_set/ipv4'),
  ipsetSetIpv6: ipSet('ipset_set/ipv6'),
  pfAnchor: pfAnchor('pf/anchor'),
  pfTable: pfTable('pf/table', 'ar_exec'),
  ipfwTable: ipfwTable('ipfw/table', 'ar_exec'),
  ipfwRule: wholeNumber('ipfw/rule', 1, { min: 1, max: 65_534 }),
  routeNullStore: oneOf('route_null/store', 'active', ['active', 'persistent']),
  npfTable: npfTable('npf/table', 'ar_exec'),
  killGrace: wholeNumber('kill_process/grace', 0, { min: 0, max: 60 }),
  killFamily: oneOf('kill_process/family', 'no', ['no', 'yes']),
  killClockSkew: wholeNumber('kill_process/clock_skew', 2, { min: 0, max: 300 }),
  killNever: pathList('kill_process/never', neverEnded()),
  quarantineFolder: absolutePathOr('quarantine/folder', '/var/lib/ar-exec/quarantine'),
  quarantineRoots: pathList('quarantine/roots', quarantineRoots()),
  quarantineNever: pathList('quarantine/never', []),
  disableExpire: oneOf('disable_account/expire', 'yes', ['yes', 'no']),
  disableEndSessions: oneOf('disable_account/end_sessions', 'no', ['yes', 'no']),
  scriptsFolder: absolutePath('scripts_folder'),
  scriptTimeLimit: duration('script_time_limit', 60, { min: 1, max: 3_600 }),
  toolTimeLimit: duration('tool_time_limit', 20, { min: 1, max: 600 }),
  establishedConnections: oneOf('established_connections', 'auto', ['auto', 'end', 'keep']),
  onStop: oneOf('on_stop', 'keep', ['keep', 'revert']),
  socketGroup: groupName('socket_group', 'ar-exec'),
  connections: wholeNumber('limits/connections', 256, { min: 1, max: 10_000 }),
  messageBytes: wholeNumber('limits/message_bytes', 131_072, { min: 1024, max: 1_048_576 }),
  pendingRequests: wholeNumber('limits/pending_requests', 100_000, { min: 1, max: 1_000_000 }),
  activeActions: wholeNumber('limits/active_actions', 100_000, { min: 1, max: 1_000_000 }),
  scriptsAtOnce: wholeNumber('limits/scripts_at_once', 16, { min: 1, max: 256 }),
  requestsPerSecond: wholeNumber('limits/requests_per_second', 50_000, { min: 10, max: 1_000_000 }),
  breakerPerMinute: wholeNumber('breaker/per_minute', 2_000, { min: 0, max: 1_000_000 }),
  breakerHeld: wholeNumber('breaker/held', 20_000, { min: 0, max: 1_000_000 }),
  breakerCalm: duration('breaker/calm', 300, { min: 10, max: 86_400 }),
  keepDays: wholeNumber('history/keep_days', 30, { min: 1, max: 3650 }),
  keepEntries: wholeNumber('history/keep_entries', 100_000, { min: 1, max: 10_000_000 }),
  reconcileEvery: duration('reconcile_every', 60, { min: 5, max: 86_400 }),
  logLevel: oneOf('log_level', 'info', ['debug', 'info', 'warn', 'error']),
  logFile: absolutePath('log_file'),
  activeResponsesLog: absolutePath('active_responses_log'),
  resultsLog: absolutePathOrNone('results_log'),
};
