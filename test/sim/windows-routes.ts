/** The routing tables of the simulated Windows. */
import type { Parts } from './simulator.ts';

export interface SimRoute {
  readonly target: string;
  /** Undefined: on the link. */
  readonly gateway?: string;
  readonly interface: number;
  readonly metric: number;
  readonly store: 'active' | 'persistent';
}

interface Interface {
  readonly index: number;
  readonly address: string;
  readonly mtu: number;
  readonly name: string;
  readonly card: string;
}

/** The loopback interface, and a card. */
export const interfaces: readonly Interface[] = [
  {
    index: 1,
    address: '127.0.0.1',
    mtu: 4_294_967_295,
    name: 'Loopback Pseudo-Interface 1',
    card: '...........................Software Loopback Interface 1',
  },
  {
    index: 12,
    address: '192.0.2.10',
    mtu: 1_500,
    name: 'Ethernet',
    card: '...52 54 00 12 34 56 ......Red Hat VirtIO Ethernet Adapter',
  },
];

export function routesOf(parts: Parts): SimRoute[] {
  parts['routes'] ??= fresh();
  return parts['routes'] as SimRoute[];
}

function fresh(): SimRoute[] {
  const active = { store: 'active' } as const;
  const link = (target: string, index: number, metric = 281): SimRoute => ({
    target,
    interface: index,
    metric,
    ...active,
  });
  return [
    { target: '0.0.0.0/0', gateway: '192.0.2.1', interface: 12, metric: 25, ...active },
    link('127.0.0.0/8', 1, 331),
    link('127.0.0.1', 1, 331),
    link('127.255.255.255', 1, 331),
    link('192.0.2.0/24', 12),
    link('192.0.2.10', 12),
    link('192.0.2.255', 12),
    link('224.0.0.0/4', 1, 331),
    link('224.0.0.0/4', 12),
    link('255.255.255.255', 1, 331),
    link('255.255.255.255', 12),
    link('::1', 1, 331),
    link('fe80::/64', 12),
    link('fe80::5054:ff:fe12:3456', 12),
    link('ff00::/8', 1, 331),
    link('ff00::/8', 12),
  ];
}

export function familyOf({ target }: Pick<SimRoute, 'target'>): 4 | 6 {
  return target.includes(':') ? 6 : 4;
}

export function addressOf(index: number): string {
  return interfaces.find((one) => one.index === index)?.address ?? '0.0.0.0';
}
