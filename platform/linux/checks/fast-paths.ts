/** Ways on which packets pass this machine without meeting its packet filter. */
import type { Finding, Question } from '../../driver.ts';
import type { StepResult } from '../../step.ts';

export const fastPaths: Question<readonly Finding[]> = {
  steps: [
    { kind: 'command', tool: 'nft', args: ['-j', 'list', 'flowtables'] },
    { kind: 'command', tool: 'ip', args: ['-j', '-details', 'link', 'show'] },
    { kind: 'read-file', path: '/proc/sys/net/bridge/bridge-nf-call-iptables' },
  ],
  read: ([flowtables, links, bridgesFiltered]) => [
    ...readFlowtables(flowtables),
    ...readLinks(links, bridgesFiltered?.stdout.trim() === '1'),
  ],
};

/** libnftables-json(5), "flowtable"; a single device is a plain string. */
interface Flowtable {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly dev?: string | readonly string[];
}

function readFlowtables(result: StepResult | undefined): Finding[] {
  const objects = (json(result) as { nftables?: { flowtable?: Flowtable }[] } | undefined)
    ?.nftables;
  return (Array.isArray(objects) ? objects : []).flatMap(({ flowtable }) => {
    if (flowtable === undefined) return [];
    const { family, table, name, dev = [] } = flowtable;
    const devices = [dev].flat().join(', ') || 'no device';
    return [
      {
        id: 'flow-offload',
        level: 'warning' as const,
        what: `The flowtable ${family} ${table} ${name} (${devices}) passes connections on without asking any rule.`,
        why: 'A forwarded connection that is in it already goes on after its address is blocked, until it ends. New ones are blocked, and so is what comes to this machine itself.',
        remedy: `Leave connections that may have to be cut out of it, or drop it: nft delete flowtable ${family} ${table} ${name}`,
      },
    ];
  });
}

/** `ip -j -details link`, as iproute2 6.1 prints it. */
interface Link {
  readonly ifname?: string;
  readonly master?: string;
  readonly xdp?: object;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: { readonly nf_call_iptables?: number };
  };
}

function readLinks(result: StepResult | undefined, bridgesFiltered: boolean): Finding[] {
  const parsed = json(result);
  const links: readonly Link[] = Array.isArray(parsed) ? parsed : [];
  const early = links.flatMap(({ ifname, xdp }) => (xdp === undefined ? [] : [ifname ?? '?']));
  const bridges = links
    .filter(({ linkinfo }) => linkinfo?.info_kind === 'bridge')
    .filter(({ linkinfo }) => !bridgesFiltered && linkinfo?.info_data?.nf_call_iptables !== 1)
    .filter(({ ifname }) => links.filter(({ master }) => master === ifname).length > 1)
    .map(({ ifname }) => ifname ?? '?');
  return [
    ...(early.length === 0 ? [] : [xdpProgram(early)]),
    ...(bridges.length === 0 ? [] : [unfilteredBridge(bridges)]),
  ];
}

function xdpProgram(devices: readonly string[]): Finding {
  return {
    id: 'xdp-program',
    level: 'note',
    what: `An XDP program sees the packets of ${devices.join(', ')} before the packet filter does.`,
    why: 'What it answers or passes on by itself is not dropped by a block.',
  };
}

function unfilteredBridge(bridges: readonly string[]): Finding {
  return {
    id: 'bridge-not-filtered',
    level: 'note',
    what: `What goes from port to port of ${bridges.join(', ')} does not meet the packet filter.`,
    why: 'Machines and containers on such a bridge are not guarded by a block here. What this machine itself gets, and what it routes, is.',
    remedy: 'modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1',
  };
}

function json(result: StepResult | undefined): unknown {
  try {
    return result?.failure === undefined ? JSON.parse(result?.stdout ?? '') : undefined;
  } catch {
    return undefined;
  }
}
