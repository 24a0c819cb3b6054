/**
 * Null routes of Windows: what this machine sends to the address goes to the loopback interface, where
 * nobody takes it. Packets from it still come in.
 *
 * Nothing tells a route of ours from one that somebody made by hand, and route.exe ends with 0 whatever
 * came of it: each address is looked at before and after.
 */
import type {
  Driver,
  DriverKind,
  Effect,
  Examined,
  FoundEffect,
  Question,
  Reading,
  Settings,
  Usability,
} from '../driver.ts';
import type { CommandStep, StepResult } from '../step.ts';
import { type AddressTarget, addressRange, isHost, parseTarget } from '../target.ts';
import { askRoutes, families, loopbackIndex, type Route, readRoutes } from './route-table.ts';

/** A route is a process. So many are made before anybody gets an answer. */
const batchSize = 50;

/** A next hop that is one (upstream's first form) sends packets on; one of 127/8 is refused. */
const noHop = '0.0.0.0';
const loopback = '127.0.0.1';

interface Place {
  /** Number of the loopback interface. */
  readonly interface: string;
  /** `persistent`: routes come back when Windows starts anew. */
  readonly store: 'active' | 'persistent';
}

export const routeNullWindows: DriverKind<AddressTarget> = {
  name: 'route-null-windows',
  defaults: { interface: '', store: 'active' },
  about: {
    systems: ['Windows'],
    add: '`route`, for IPv6 `netsh`: adds a route to it that leads to the loopback interface',
    remove: '`route`, for IPv6 `netsh`: deletes the route',
    options: ['route_null/store'],
  },
  make: (settings: Settings): Driver<AddressTarget> => {
    const place: Place = {
      interface: settings['interface'] || '1',
      store: settings['store'] === 'persistent' ? 'persistent' : 'active',
    };
    return {
      name: 'route-null-windows',
      settings,
      traits: {
        selfExpiring: false,
        prefixes: true,
        batchSize,
        unmarked: true,
        sharesPlace: true,
        statusTellsNothing: true,
        // TCP starves, but its sockets stand for minutes; datagrams still come in.
        leavesFlows: true,
      },
      probe: {
        steps: [
          { kind: 'command', tool: 'reg', args: ['query', 'HKU\\S-1-5-19'] },
          { kind: 'command', tool: 'netsh', args: ['interface', 'ipv4', 'show', 'interfaces'] },
          ...askRoutes,
        ],
        read: (results) => readProbe(settings, results),
      },
      inspect: { steps: askRoutes, read: (results) => read(place, results) },
      examine: (target) => examine(place, target),
      container: () => undefined,
      apply: (effects) => effects.filter(isToBeMade).map(({ target }) => add(place, target)),
      revert: (effects) => effects.filter(wasAbsent).map(({ target }) => remove(place, target)),
    };
  },
};

function add({ interface: index, store }: Place, target: AddressTarget): CommandStep {
  if (target.family === 6) return route6('add', index, store, target);
  const kept = store === 'persistent' ? ['-p'] : [];
  return { kind: 'command', tool: 'route', args: [...kept, 'ADD', ...where4(index, target)] };
}

/** With mask, next hop and interface: the destination alone would take every other route to it, too. */
function remove({ interface: index, store }: Place, target: AddressTarget): CommandStep {
  if (target.family === 6) return route6('delete', index, store, target);
  return { kind: 'command', tool: 'route', args: ['DELETE', ...where4(index, target)] };
}

/** Never a `*` or `?`, which `DELETE` takes for any characters: a target has been parsed. */
function where4(index: string, { address, prefixLength }: AddressTarget): string[] {
  return [address, 'MASK', maskOf(prefixLength), noHop, 'IF', index];
}

/** Without a store, netsh writes a route down for ever. */
function route6(
  verb: 'add' | 'delete',
  index: string,
  store: Place['store'],
  { address, prefixLength }: AddressTarget,
): CommandStep {
  const what = [`prefix=${address}/${prefixLength}`, `interface=${index}`, `store=${store}`];
  return {
    kind: 'command',
    tool: 'netsh',
    args: ['interface', 'ipv6', verb, 'route', ...what],
    complainsFirst: true,
  };
}

function maskOf(length: number): string {
  return [0, 8, 16, 24]
    .map((start) => 256 - 2 ** (8 - Math.min(8, Math.max(0, length - start))))
    .join('.');
}

/** What stood there before us is neither made again nor taken away. */
function wasAbsent({ memory }: Effect<AddressTarget>): boolean {
  return memory?.['before'] !== 'present';
}

function isToBeMade(effect: Effect<AddressTarget>): boolean {
  return effect.standing !== true && wasAbsent(effect);
}

function readProbe(settings: Settings, results: readonly StepResult[]): Usability {
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  const [elevated, interfaces, ...listed] = results;
  if (listed[0]?.failure === 'missing') return unusable('route is not there');
  if (elevated?.failure !== undefined) return unusable('only an administrator may change routes');
  const index = loopbackIndex(interfaces);
  if (index === undefined) return unusable('no loopback interface was found');
  const usable: (4 | 6)[] = [];
  for (const [at, family] of families.entries()) {
    const routes = readRoutes(listed[at], family);
    if (typeof routes === 'string') return unusable(routes);
    if (routes.length > 0) usable.push(family);
  }
  return {
    usable: true,
    why: `routes to interface ${index}${usable.length === 1 ? ', for IPv4 only' : ''}`,
    families: usable,
    settled: { ...settings, interface: settings['interface'] || String(index) },
  };
}

/** Both families, as lists of those that lead nowhere; the reason if one cannot be understood. */
function read(place: Place, results: readonly StepResult[]): Reading<AddressTarget> {
  const effects: FoundEffect<AddressTarget>[] = [];
  for (const [index, family] of families.entries()) {
    const routes = readRoutes(results[index], family);
    if (typeof routes === 'string') return { known: false, why: routes };
    for (const route of routes) {
      if (isNull(place, route) && !isOfSystem(route.target)) effects.push({ target: route.target });
    }
  }
  return { known: true, containers: [], effects, foreign: [], setup: () => [], teardown: () => [] };
}

/** It leads to the loopback interface, and by way of nobody. */
function isNull({ interface: index }: Place, { target, gateway, by }: Route): boolean {
  return gateway === undefined && by === (target.family === 4 ? loopback : index);
}

const systemRanges = ['127.0.0.0/8', '224.0.0.0/4', '255.255.255.255', '::1', 'ff00::/8'].flatMap(
  (text) => parseTarget(text) ?? [],
);

/** What leads there by itself: loopback, multicast, broadcast. Nobody blocks what is within. */
function isOfSystem(target: AddressTarget): boolean {
  const { first, last } = addressRange(target);
  return systemRanges.some((range) => {
    const wide = addressRange(range);
    return range.family === target.family && first >= wide.first && last <= wide.last;
  });
}

/** The whole table is asked for: a batch asks once. */
function examine(place: Place, target: AddressTarget): Question<Examined> {
  return {
    steps: askRoutes,
    read: (results) => {
      const { family, text } = target;
      const routes = readRoutes(results[families.indexOf(family)], family);
      if (typeof routes === 'string') return { fit: 'unknown', why: routes };
      const here = routes.filter((route) => route.target.text === text);
      if (here.length === 0) return { fit: true, memory: { before: 'absent' } };
      // Windows takes a second route to the same destination, and the metric decides.
      const other = here.find((route) => !isNull(place, route));
      if (other === undefined) {
        return { fit: true, memory: { before: 'present' }, preExisting: true };
      }
      const way = other.gateway ?? `interface ${other.by}`;
      const what = isHost(target) ? 'a route to' : 'a route to the network';
      return {
        fit: 'unknown',
        why: `${what} ${text} is there already, by ${way}, and is left alone`,
      };
    },
  };
}
