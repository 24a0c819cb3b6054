/** The routes of a simulated machine, and how its kernel takes and gives them. */
import ipaddr from 'ipaddr.js';
import { addressRange, parseTarget } from '../../platform/target.ts';
import type { Parts, SimSystem } from './simulator.ts';

export interface SimRoute {
  /** Canonical: `192.0.2.1`, `192.0.2.0/24`, `0.0.0.0/0`. */
  readonly target: string;
  gateway: string;
  readonly flags: readonly Flag[];
  readonly dev: string;
  /** OpenBSD has several to one destination, by priority: the lowest is used. */
  readonly priority?: number;
}

/** As `route get` names them; a letter each in listings. */
export type Flag = keyof typeof letters;

const letters = {
  UP: 'U',
  GATEWAY: 'G',
  HOST: 'H',
  REJECT: 'R',
  DONE: '',
  CLONING: 'C',
  LLINFO: 'L',
  CLONED: 'c',
  CACHED: 'h',
  STATIC: 'S',
  WASCLONED: 'W',
  BLACKHOLE: 'B',
  LOCAL: 'l',
  CONNECTED: 'n',
  BROADCAST: 'b',
} as const;

export const isFreeBsd = (system: SimSystem): boolean => system.startsWith('freebsd');

/** `bits` in the sources of netstat and route; NetBSD has B before what comes from Berkeley's S. */
export function lettersOf(system: SimSystem, flags: readonly Flag[]): string {
  const order = Object.keys(letters) as Flag[];
  const early: Flag[] = order.filter((one) => one !== 'BLACKHOLE');
  const sorted =
    system === 'netbsd10' ? early.toSpliced(early.indexOf('REJECT') + 1, 0, 'BLACKHOLE') : order;
  return sorted
    .filter((one) => flags.includes(one))
    .map((one) => letters[one])
    .join('');
}

/** The machine of the transcripts: 192.0.2.1 at 192.0.2.0/24, its gateway 192.0.2.2. */
export function routesOf(system: SimSystem, parts: Parts): SimRoute[] {
  const known = parts['routes'] as SimRoute[] | undefined;
  const routes = known ?? structuredClone(firstRoutes(system));
  parts['routes'] = routes;
  return routes;
}

function firstRoutes(system: SimSystem): SimRoute[] {
  switch (system) {
    case 'freebsd13':
      return freeBsd({ loop: 'link#1', net: 'link#3', own: 'link#3' });
    case 'freebsd15':
      return freeBsd({ loop: 'link#1', net: 'link#5', own: 'link#1' });
    case 'openbsd76':
      return openBsd;
    case 'windows11':
      throw new Error('its routes are those of windows-route.ts');
    default:
      return berkeley[system];
  }
}

/** route.freebsd13.txt, route.freebsd15.txt. */
function freeBsd({ loop, net, own }: Record<'loop' | 'net' | 'own', string>): SimRoute[] {
  return [
    {
      target: '0.0.0.0/0',
      gateway: '192.0.2.2',
      flags: ['UP', 'GATEWAY', 'STATIC'],
      dev: 'epair0a',
    },
    { target: '127.0.0.1', gateway: loop, flags: ['UP', 'HOST'], dev: 'lo0' },
    { target: '192.0.2.0/24', gateway: net, flags: ['UP'], dev: 'epair0a' },
    { target: '192.0.2.1', gateway: own, flags: ['UP', 'HOST', 'STATIC'], dev: 'lo0' },
    { target: '::1', gateway: loop, flags: ['UP', 'HOST', 'STATIC'], dev: 'lo0' },
    { target: 'fe80::/64', gateway: loop, flags: ['UP'], dev: 'lo0' },
  ];
}

/** route.openbsd76.txt; the loopback address of IPv6 as that of IPv4. */
const openBsd: SimRoute[] = [
  {
    target: '0.0.0.0/0',
    gateway: '192.0.2.2',
    flags: ['UP', 'GATEWAY', 'STATIC'],
    dev: 'pair0',
    priority: 8,
  },
  {
    target: '127.0.0.1',
    gateway: '127.0.0.1',
    flags: ['UP', 'HOST', 'CACHED', 'LOCAL'],
    dev: 'lo0',
    priority: 1,
  },
  {
    target: '192.0.2.0/24',
    gateway: '192.0.2.1',
    flags: ['UP', 'CLONING', 'CONNECTED'],
    dev: 'pair0',
    priority: 4,
  },
  {
    target: '192.0.2.1',
    gateway: 'fe:e1:ba:d1:3b:68',
    flags: ['UP', 'HOST', 'LLINFO', 'LOCAL'],
    dev: 'pair0',
    priority: 1,
  },
  {
    target: '192.0.2.2',
    gateway: 'fe:e1:ba:d0:8d:af',
    flags: ['UP', 'HOST', 'LLINFO', 'CLONED', 'CACHED'],
    dev: 'pair0',
    priority: 3,
  },
  {
    target: '192.0.2.255',
    gateway: '192.0.2.1',
    flags: ['UP', 'HOST', 'BROADCAST'],
    dev: 'pair0',
    priority: 1,
  },
  { target: '::1', gateway: '::1', flags: ['UP', 'HOST', 'LOCAL'], dev: 'lo0', priority: 1 },
];

/** What such a machine has without more; no transcript. macOS keeps a route for every neighbour. */
const berkeley = {
  netbsd10: [
    { target: '0.0.0.0/0', gateway: '192.0.2.2', flags: ['UP', 'GATEWAY', 'STATIC'], dev: 'wm0' },
    { target: '127.0.0.1', gateway: 'lo0', flags: ['UP', 'HOST', 'LOCAL'], dev: 'lo0' },
    { target: '192.0.2.0/24', gateway: 'link#1', flags: ['UP', 'CLONING'], dev: 'wm0' },
    { target: '192.0.2.1', gateway: 'link#1', flags: ['UP', 'HOST', 'LOCAL'], dev: 'lo0' },
    { target: '::1', gateway: 'lo0', flags: ['UP', 'HOST', 'LOCAL'], dev: 'lo0' },
  ],
  dragonfly6: [
    { target: '0.0.0.0/0', gateway: '192.0.2.2', flags: ['UP', 'GATEWAY', 'STATIC'], dev: 'em0' },
    { target: '127.0.0.1', gateway: '127.0.0.1', flags: ['UP', 'HOST'], dev: 'lo0' },
    { target: '192.0.2.0/24', gateway: 'link#1', flags: ['UP', 'CLONING'], dev: 'em0' },
    { target: '::1', gateway: '::1', flags: ['UP', 'HOST'], dev: 'lo0' },
  ],
  macos14: [
    { target: '0.0.0.0/0', gateway: '192.0.2.2', flags: ['UP', 'GATEWAY', 'STATIC'], dev: 'en0' },
    { target: '127.0.0.0/8', gateway: '127.0.0.1', flags: ['UP', 'CLONING', 'STATIC'], dev: 'lo0' },
    { target: '127.0.0.1', gateway: '127.0.0.1', flags: ['UP', 'HOST'], dev: 'lo0' },
    { target: '192.0.2.0/24', gateway: 'link#6', flags: ['UP', 'CLONING', 'STATIC'], dev: 'en0' },
    {
      target: '192.0.2.9',
      gateway: '2:0:0:0:0:9',
      flags: ['UP', 'HOST', 'LLINFO', 'WASCLONED'],
      dev: 'en0',
    },
    { target: '::1', gateway: '::1', flags: ['UP', 'HOST', 'LLINFO'], dev: 'lo0' },
  ],
} satisfies Record<string, SimRoute[]>;

/** Why it is refused, as an errno. */
export type Refusal = 'EEXIST' | 'EINVAL' | 'ENETUNREACH' | 'ESRCH';

export interface Change {
  readonly target: string;
  readonly gateway?: string | undefined;
  readonly closed?: 'BLACKHOLE' | 'REJECT' | undefined;
}

export function addRoute(
  system: SimSystem,
  routes: SimRoute[],
  { target, gateway, closed }: Change,
): Refusal | undefined {
  // FreeBSD finds the loopback interface by itself, for what is closed (route.freebsd13.txt).
  if (gateway === undefined && !(isFreeBsd(system) && closed !== undefined)) return 'EINVAL';
  const same = routes.filter((route) => route.target === target);
  if (system === 'openbsd76') {
    // An address that is the gateway of another route (route.openbsd76.txt).
    if (routes.some((route) => route.gateway === target && has(route, 'GATEWAY'))) return 'EINVAL';
    if (same.some(({ priority }) => priority === 8)) return 'EEXIST';
  } else {
    // Berkeley's kernels blow away a route that was cloned (rtrequest: RTF_WASCLONED).
    const cloned = same.filter((route) => has(route, 'WASCLONED'));
    if (same.length > cloned.length) return 'EEXIST';
    for (const route of cloned) routes.splice(routes.indexOf(route), 1);
  }
  const isLoop = gateway === undefined || gateway === '127.0.0.1' || gateway === '::1';
  const reaches = isLoop || isOnLink(routes, gateway);
  if (!reaches && !(isFreeBsd(system) && closed !== undefined)) return 'ENETUNREACH';
  routes.push(newRoute(system, { target, gateway, closed }));
  return undefined;
}

function newRoute(system: SimSystem, { target, gateway, closed }: Change): SimRoute {
  const host: Flag[] = target.includes('/') ? [] : ['HOST'];
  const kind: Flag[] = closed === undefined ? [] : [closed];
  const loop = target.includes(':') ? '::1' : '127.0.0.1';
  if (isFreeBsd(system) && closed !== undefined) {
    // Without G, on lo0; 15 shows the interface for the gateway (both transcripts, netstat).
    const shown = system === 'freebsd15' ? 'link#1' : loop;
    return { target, gateway: shown, flags: ['UP', ...host, 'STATIC', ...kind], dev: 'lo0' };
  }
  const flags: Flag[] = ['UP', 'GATEWAY', ...host, 'STATIC', ...kind];
  const dev = gateway === loop ? 'lo0' : outside[system];
  const priority = system === 'openbsd76' ? { priority: 8 } : {};
  return { target, gateway: gateway ?? loop, flags, dev, ...priority };
}

const outside: Readonly<Record<SimSystem, string>> = {
  freebsd13: 'epair0a',
  freebsd15: 'epair0a',
  openbsd76: 'pair0',
  netbsd10: 'wm0',
  dragonfly6: 'em0',
  macos14: 'en0',
  windows11: 'none',
};

export function deleteRoute(
  system: SimSystem,
  routes: SimRoute[],
  { target, gateway }: Change,
): Refusal | undefined {
  const same = routes.filter((route) => route.target === target);
  const fits = same.filter((route) => goesBy(system, route, gateway));
  const [one] = fits.toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0));
  if (one === undefined) return 'ESRCH';
  // A neighbour's entry is emptied and stays (route.openbsd76.txt, `delete 192.0.2.2`).
  if (has(one, 'CLONED')) one.gateway = 'link#4';
  else routes.splice(routes.indexOf(one), 1);
  return undefined;
}

/** OpenBSD and FreeBSD compare the gateway, if it is named (rtable_lookup; check_info_match_nhop). */
function goesBy(system: SimSystem, route: SimRoute, gateway: string | undefined): boolean {
  if (gateway === undefined) return true;
  if (system === 'openbsd76') return route.gateway === gateway;
  if (!isFreeBsd(system)) return true;
  return isClosedRoute(route) || route.gateway === gateway;
}

function isClosedRoute(route: SimRoute): boolean {
  return has(route, 'BLACKHOLE') || has(route, 'REJECT');
}

export function has(route: SimRoute, flag: Flag): boolean {
  return route.flags.includes(flag);
}

/** The longest prefix, and of those the lowest priority. */
export function lookUp(routes: readonly SimRoute[], address: string): SimRoute | undefined {
  const fits = routes.filter((route) => contains(route.target, address));
  const better = (a: SimRoute, b: SimRoute) =>
    lengthOf(b.target) - lengthOf(a.target) || (a.priority ?? 0) - (b.priority ?? 0);
  return fits.toSorted(better)[0];
}

function isOnLink(routes: readonly SimRoute[], address: string): boolean {
  const route = lookUp(routes, address);
  return route !== undefined && !has(route, 'GATEWAY');
}

function contains(target: string, address: string): boolean {
  const [net, one] = [parseTarget(target), parseTarget(address)];
  if (net === undefined || one === undefined || net.family !== one.family) return false;
  const [outer, inner] = [addressRange(net), addressRange(one)];
  return outer.first <= inner.first && inner.last <= outer.last;
}

function lengthOf(target: string): number {
  return parseTarget(target)?.prefixLength ?? 0;
}

/** In the order of their addresses, as a radix tree is walked. */
export function sorted(routes: readonly SimRoute[], family: 4 | 6): SimRoute[] {
  const key = ({ target }: SimRoute) => ipaddr.parse(target.split('/')[0] ?? '').toByteArray();
  return routes
    .filter(({ target }) => target.includes(':') === (family === 6))
    .toSorted((a, b) => {
      const [left, right] = [key(a), key(b)];
      const at = left.findIndex((byte, index) => byte !== right[index]);
      if (at !== -1) return (left[at] ?? 0) - (right[at] ?? 0);
      return lengthOf(a.target) - lengthOf(b.target) || (a.priority ?? 0) - (b.priority ?? 0);
    });
}

/** inet_ntop(3): OpenBSD writes as IPv4 what has six zero words before it, the others seven too. */
export function printed(system: SimSystem, address: string): string {
  const words = /^::(?:([0-9a-f]+):)?([0-9a-f]+)$/.exec(address);
  if (words === null) return address;
  const [high, low] = [Number.parseInt(words[1] ?? '0', 16), Number.parseInt(words[2] ?? '', 16)];
  if (words[1] === undefined && (system === 'openbsd76' || low === 1)) return address;
  return `::${[high >> 8, high & 255, low >> 8, low & 255].join('.')}`;
}
