/** What `route get` and OpenBSD's `route show` print of a route; see route.*.txt. */
import ipaddr from 'ipaddr.js';
import { parseTarget } from '../../platform/target.ts';
import { destinationOf } from './netstat.ts';
import {
  type Flag,
  has,
  isFreeBsd,
  lettersOf,
  printed,
  type SimRoute,
  sorted,
} from './route-world.ts';
import type { SimSystem } from './simulator.ts';

export function getLines(system: SimSystem, route: SimRoute, asked: string): string[] {
  const host = !route.target.includes('/');
  const gateway = has(route, 'GATEWAY') ? [`    gateway: ${printed(system, route.gateway)}`] : [];
  const head = [
    `   route to: ${asked}`,
    `destination: ${asked === 'default' ? asked : addressOf(route)}`,
  ];
  const flags = `      flags: <${flagNames(route).join(',')}>`;
  if (isFreeBsd(system)) {
    return [
      ...head,
      ...(host ? [] : [`       mask: ${asked === 'default' ? asked : maskOf(route)}`]),
      ...gateway,
      '        fib: 0',
      `  interface: ${route.dev}`,
      flags,
      ' recvpipe  sendpipe  ssthresh  rtt,msec    mtu        weight    expire',
      `       0         0         0         0 ${mtuOf(route, 16_384).padStart(9)}         1         0 `,
    ];
  }
  if (system === 'openbsd76') {
    const neighbour = has(route, 'CACHED') && has(route, 'CLONED');
    return [
      ...head,
      `       mask: ${maskOf(route)}`,
      ...gateway,
      `  interface: ${route.dev}`,
      ` if address: ${route.dev === 'lo0' ? loopOf(route) : '192.0.2.1'}`,
      `   priority: ${route.priority} (${priorityNames[route.priority ?? 0] ?? ''})`,
      flags,
      '     use       mtu    expire',
      neighbour
        ? '      18         0L     1133 '
        : `       0 ${mtuOf(route, 32_768).padStart(9)}         0 `,
    ];
  }
  return [
    ...head,
    ...(host ? [] : [`       mask: ${asked === 'default' ? asked : maskOf(route)}`]),
    ...gateway,
    `  interface: ${route.dev}`,
    flags,
    ' recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire',
    `       0         0         0         0         0         0 ${mtuOf(route, 16_384).padStart(9)}         0 `,
  ];
}

/** rtpriority of OpenBSD's route.c, as far as a transcript has it. */
const priorityNames: Readonly<Record<number, string>> = { 1: 'local', 4: 'connected', 8: 'static' };

function flagNames(route: SimRoute): Flag[] {
  const order: readonly Flag[] = [
    'UP',
    'GATEWAY',
    'HOST',
    'REJECT',
    'DONE',
    'CLONING',
    'LLINFO',
    'STATIC',
    'BLACKHOLE',
    'CLONED',
    'CACHED',
    'LOCAL',
    'BROADCAST',
    'CONNECTED',
  ];
  return order.filter((flag) => flag === 'DONE' || has(route, flag));
}

function addressOf({ target }: SimRoute): string {
  return target.split('/')[0] ?? '';
}

function maskOf({ target }: SimRoute): string {
  const { family, prefixLength = 0 } = parseTarget(target) ?? {};
  const kind = family === 4 ? ipaddr.IPv4 : ipaddr.IPv6;
  return parseTarget(kind.subnetMaskFromPrefixLength(prefixLength).toString())?.text ?? '';
}

function mtuOf({ dev }: SimRoute, ofLoop: number): string {
  return dev === 'lo0' ? String(ofLoop) : '1500';
}

function loopOf({ target }: SimRoute): string {
  return target.includes(':') ? '::1' : '127.0.0.1';
}

/** What was counted is told as nothing. */
export function showLines(routes: readonly SimRoute[], family: 4 | 6): string[] {
  const [first, second] = family === 4 ? [18, 18] : [34, 30];
  const line = (parts: readonly string[]) => {
    const [
      to = '',
      by = '',
      flags = '',
      refs = '',
      use = '',
      mtu = '',
      lock = '',
      prio = '',
      dev = '',
    ] = parts;
    const numbers = `${refs.padStart(5)} ${use.padStart(8)} ${mtu.padStart(5)} ${lock} ${prio.padStart(3)}`;
    return `${to.padEnd(first)} ${by.padEnd(second)} ${flags.padEnd(6)} ${numbers} ${dev.padEnd(5)}`;
  };
  const rows = sorted(routes, family).map((route) =>
    line([
      destinationOf('openbsd76', route.target),
      printed('openbsd76', route.gateway),
      lettersOf('openbsd76', route.flags),
      '0',
      '0',
      route.dev === 'lo0' ? '32768' : '-',
      has(route, 'CLONED') ? 'L' : ' ',
      String(route.priority),
      route.dev,
    ]),
  );
  const heading = `${'Destination'.padEnd(first)} ${'Gateway'.padEnd(second)} Flags   Refs      Use   Mtu  Prio Iface`;
  if (rows.length === 0) return ['Routing tables'];
  return ['Routing tables', '', family === 4 ? 'Internet:' : 'Internet6:', heading, ...rows];
}
