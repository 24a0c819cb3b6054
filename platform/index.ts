import { blockFile } from './any/block-file.ts';
import { hostsDeny } from './any/hosts-deny.ts';
import { restartAgent } from './any/restart-agent.ts';
import { accountBsd } from './bsd/account.ts';
import { hostsAllow } from './bsd/hosts-allow.ts';
import { ipfw } from './bsd/ipfw.ts';
import { npf } from './bsd/npf.ts';
import { pf } from './bsd/pf.ts';
import { planStatesByAddress, planStatesByNumber } from './bsd/pf-states.ts';
import { routeNullBsd } from './bsd/route-null.ts';
import type { DriverKind, OneShotKind } from './driver.ts';
import type { PlanFlows } from './flows.ts';
import { account } from './linux/account.ts';
import { firewalld } from './linux/firewalld.ts';
import { planFlows } from './linux/flows.ts';
import { ipset } from './linux/ipset.ts';
import { ipsetSet } from './linux/ipset-set.ts';
import { iptables } from './linux/iptables.ts';
import { killProcess } from './linux/kill-process.ts';
import { nftables } from './linux/nftables.ts';
import { nftablesSet } from './linux/nftables-set.ts';
import { quarantine } from './linux/quarantine.ts';
import { routeNull } from './linux/route-null.ts';
import { accountMacos } from './macos/account.ts';
import { mail } from './notify/mail.ts';
import { pagerduty } from './notify/pagerduty.ts';
import { slack } from './notify/slack.ts';
import { xPost } from './notify/x-post.ts';
import { type System, systems } from './system.ts';
import { accountWindows } from './windows/account.ts';
import { killProcessWindows } from './windows/kill-process.ts';
import { netsh } from './windows/netsh.ts';
import { quarantineWindows } from './windows/quarantine.ts';
import { restartAgentWindows } from './windows/restart-agent.ts';
import { routeNullWindows } from './windows/route-null.ts';

/** Every driver there is, for all systems. Which one a response prefers is policy's business. */
export const drivers: readonly DriverKind[] = [
  nftables,
  ipset,
  iptables,
  nftablesSet,
  ipsetSet,
  firewalld,
  hostsDeny,
  hostsAllow,
  routeNull,
  routeNullBsd,
  routeNullWindows,
  blockFile,
  account,
  accountBsd,
  accountMacos,
  accountWindows,
  quarantine,
  quarantineWindows,
  pf,
  ipfw,
  npf,
  netsh,
];

/** Every one-shot there is, for all systems. */
export const oneShots: readonly OneShotKind[] = [
  killProcess,
  killProcessWindows,
  restartAgent,
  restartAgentWindows,
  slack,
  xPost,
  mail,
  pagerduty,
];

/** What there is for a system. */
export function kindsOn(system: System): {
  readonly drivers: readonly DriverKind[];
  readonly oneShots: readonly OneShotKind[];
} {
  const isFor = ({ about }: DriverKind | OneShotKind): boolean =>
    about?.systems.includes(systems[system]) === true;
  return { drivers: drivers.filter(isFor), oneShots: oneShots.filter(isFor) };
}

/** How connections that stand are ended on a system; npf and ipfw have nothing that ends those of an address. */
const flows: Readonly<Record<System, PlanFlows>> = {
  linux: planFlows,
  freebsd: planStatesByNumber,
  openbsd: planStatesByNumber,
  darwin: planStatesByAddress,
  netbsd: () => nothingToEnd,
  dragonfly: () => nothingToEnd,
  win32: () => nothingToEnd,
};

const nothingToEnd = {
  steps: [],
  read: () => ({ sockets: 0, flows: 0, troubles: [] }),
};

export function flowsOn(system: System): PlanFlows {
  return flows[system];
}
