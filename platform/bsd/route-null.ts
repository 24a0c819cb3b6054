/**
 * Blackhole routes of the BSDs and macOS, see route(8). What this machine sends to the address is
 * discarded, so that no connection comes about; packets from it still come in.
 *
 * Nothing tells a blackhole of ours from one that somebody made by hand: only what the journal has is
 * ours. Each address is looked at before anything is done, and before anything is taken back.
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
import { type AddressTarget, isHost } from '../target.ts';
import { askRoutes, isBlackhole, isClosed, type Route, readRoutes } from './route-table.ts';

/** A route is a process: route(8) reads no list. So many are made before anybody gets an answer. */
const batchSize = 50;

const families = [4, 6] as const;

/** What leads to this machine itself; a blackhole needs a gateway, which is never used. */
const loopback = { 4: '127.0.0.1', 6: '::1' } as const;

export const routeNullBsd: DriverKind<AddressTarget> = {
  name: 'route-null-bsd',
  defaults: { system: 'freebsd' },
  defaultsOn: (system) => ({ system }),
  about: {
    systems: ['FreeBSD', 'OpenBSD', 'NetBSD', 'DragonFly BSD', 'macOS'],
    add: '`route`: adds a blackhole route to it',
    remove: '`route`: deletes the route',
    options: [],
  },
  make: (settings: Settings): Driver<AddressTarget> => {
    const system = settings['system'] ?? 'freebsd';
    const routes = askRoutes(system);
    return {
      name: 'route-null-bsd',
      settings,
      traits: {
        selfExpiring: false,
        prefixes: true,
        batchSize,
        unmarked: true,
        sharesPlace: true,
        // TCP starves, but its sockets stand for minutes; datagrams still come in.
        leavesFlows: true,
        // Apple's route ends with 0 whatever came of it.
        ...(system === 'darwin' ? { statusTellsNothing: true } : {}),
      },
      probe: {
        steps: [
          { kind: 'command', tool: 'id', args: ['-u'] },
          command(['-n', 'get', '127.0.0.1']),
          ...routes,
        ],
        read: readProbe,
      },
      inspect: { steps: routes, read },
      examine: (target) => examine(system, target),
      container: () => undefined,
      apply: (effects) => effects.filter(isToBeMade).map(({ target }) => add(target)),
      revert: (effects) => effects.filter(wasAbsent).map(({ target }) => remove(target)),
    };
  },
};

function add(target: AddressTarget): CommandStep {
  return command(['-n', 'add', ...where(target), '-blackhole']);
}

/** With the gateway: on OpenBSD the address alone would take another route of it, too. */
function remove(target: AddressTarget): CommandStep {
  return command(['-n', 'delete', ...where(target)]);
}

/**
 * `-inet6` is what most of them do not guess. An address that ends in zeros is taken for a network of 64
 * bits by some, unless its length is named (inet6_makenetandmask in route.c).
 */
function where(target: AddressTarget): string[] {
  const { family, text } = target;
  const host = isHost(target);
  const named = host && text.endsWith('::') ? `${text}/128` : text;
  return [...(family === 6 ? ['-inet6'] : []), host ? '-host' : '-net', named, loopback[family]];
}

function command(args: readonly string[]): CommandStep {
  return { kind: 'command', tool: 'route', args };
}

/** What stood there before us is neither made again nor taken away. */
function wasAbsent({ memory }: Effect<AddressTarget>): boolean {
  return memory?.['before'] !== 'present';
}

function isToBeMade(effect: Effect<AddressTarget>): boolean {
  return effect.standing !== true && wasAbsent(effect);
}

function readProbe([id, get, ...listed]: readonly StepResult[]): Usability {
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  if (get?.failure === 'missing') return unusable('route is not installed');
  if (id?.stdout.trim() !== '0') return unusable('only root may change routes');
  const usable: (4 | 6)[] = [];
  for (const [index, family] of families.entries()) {
    const routes = readRoutes(listed[index], family);
    if (typeof routes === 'string') return unusable(routes);
    if (routes.some(({ target }) => isLoopback(target))) usable.push(family);
  }
  if (usable.length === 0) return unusable('no route leads to a loopback address');
  const [one] = usable;
  const why = `blackhole routes${usable.length === 1 ? `, for IPv${one} only` : ''}`;
  return { usable: true, why, families: usable };
}

/** The address, or the network that it stands in: 127/8. */
function isLoopback({ family, address, text }: AddressTarget): boolean {
  return family === 4 ? address.startsWith('127.') : text === loopback[6];
}

function read(results: readonly StepResult[]): Reading<AddressTarget> {
  const effects: FoundEffect<AddressTarget>[] = [];
  const foreign: AddressTarget[] = [];
  for (const [index, family] of families.entries()) {
    const routes = readRoutes(results[index], family);
    if (typeof routes === 'string') return { known: false, why: routes };
    for (const { target, flags } of routes) {
      if (isBlackhole(flags)) effects.push({ target });
      else if (isClosed(flags)) foreign.push(target);
    }
  }
  return { known: true, containers: [], effects, foreign, setup: () => [], teardown: () => [] };
}

/** The whole table is asked for: a batch asks once, and `route get` would tell of a wider route. */
function examine(system: string, target: AddressTarget): Question<Examined> {
  return {
    steps: askRoutes(system),
    read: (results) => {
      const { family, text } = target;
      const routes = readRoutes(results[families.indexOf(family)], family);
      if (typeof routes === 'string') return { fit: 'unknown', why: routes };
      const here = routes.filter((route) => route.target.text === text);
      if (here.some(({ flags }) => isClosed(flags))) {
        return { fit: true, memory: { before: 'present' }, preExisting: true };
      }
      const other = here.find((route) => staysInPlace(system, route));
      if (other === undefined) return { fit: true, memory: { before: 'absent' } };
      const why = `a route to ${text} is there already, by ${other.gateway}, and is left alone`;
      return { fit: 'unknown', why };
    },
  };
}

/**
 * Routes that the system made by itself for a neighbour or a connection (L, W, c) make way for one that
 * is added. On OpenBSD they stay, and win: a blackhole is accepted beside them, beside the address of an
 * interface and beside a connected network, and does nothing.
 */
function staysInPlace(system: string, { flags }: Route): boolean {
  return system === 'openbsd' || !/[LWc]/.test(flags);
}
