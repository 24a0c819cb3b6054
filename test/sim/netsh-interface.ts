/** `netsh interface ipv4 show interfaces`, and `add route` and `delete route` of `netsh interface ipv6`. */
import { parseTarget } from '../../platform/target.ts';
import type { Answer, Call, Parts } from './simulator.ts';
import { interfaces, routesOf, type SimRoute } from './windows-routes.ts';
import { print, unknown, type Words, wordsOf } from './windows-words.ts';

export function interfaceCommand(call: Call, args: readonly string[], parts: Parts): Answer {
  const words = wordsOf(call);
  const [family, ...rest] = args.map((word) => word.toLowerCase());
  const line = rest.join(' ');
  if (line === 'show interfaces') return shown(words);
  const [verb = '', what, ...given] = rest;
  if (family !== 'ipv6' || what !== 'route' || !/^(add|delete)$/.test(verb)) {
    return unknown(`netsh interface ${args.join(' ')}`);
  }
  if (call.switches['limited'] === true) return print(1, [words.elevation, '']);
  const change = readChange(given);
  if (change === undefined) return print(1, [words.syntax, '']);
  const routes = routesOf(parts);
  if (!interfaces.some(({ index }) => index === change.interface))
    return print(1, [words.element, '']);
  const why = verb === 'add' ? add(words, routes, change) : remove(words, routes, change);
  return why === undefined ? print(0, [words.ok, '']) : print(1, [why, '']);
}

function shown(words: Words): Answer {
  const cell = (text: string | number, width: number): string => String(text).padStart(width);
  return print(0, [
    '',
    'Idx     Met         MTU          State                Name',
    '---  ----------  ----------  ------------  ---------------------------',
    ...interfaces.map(
      ({ index, mtu, name }) =>
        `${cell(index, 3)}  ${cell(index === 1 ? 75 : 25, 10)}  ${cell(mtu, 10)}  ${words.connected.padEnd(12)}  ${name}`,
    ),
    '',
  ]);
}

/** Without a word for it a route is kept for the next start, too. */
function readChange(given: readonly string[]): SimRoute | undefined {
  const values = new Map(given.map((word) => word.split('=') as [string, string]));
  const known = ['prefix', 'interface', 'nexthop', 'store', 'metric'];
  if ([...values.keys()].some((key) => !known.includes(key))) return undefined;
  const prefix = values.get('prefix') ?? '';
  const target = prefix.includes('/') ? parseTarget(prefix) : undefined;
  const index = values.get('interface');
  const store = values.get('store') ?? 'persistent';
  if (target?.family !== 6 || index === undefined || !/^\d+$/.test(index)) return undefined;
  if (store !== 'active' && store !== 'persistent') return undefined;
  const gateway = values.get('nexthop');
  return {
    target: target.text,
    interface: Number(index),
    metric: 256,
    store,
    ...(gateway === undefined || gateway === '::' ? {} : { gateway }),
  };
}

function isSame(one: SimRoute, other: SimRoute): boolean {
  return (
    one.target === other.target &&
    one.interface === other.interface &&
    one.gateway === other.gateway
  );
}

function add(words: Words, routes: SimRoute[], change: SimRoute): string | undefined {
  if (routes.some((one) => isSame(one, change) && one.store === 'active')) return words.exists;
  routes.push({ ...change, store: 'active' });
  if (change.store === 'persistent') routes.push(change);
  return undefined;
}

/** What is deleted for good is deleted now, too. */
function remove(words: Words, routes: SimRoute[], change: SimRoute): string | undefined {
  const gone = routes.filter(
    (one) => isSame(one, change) && (change.store === 'persistent' || one.store === 'active'),
  );
  if (gone.length === 0) return words.element;
  for (const one of gone) routes.splice(routes.indexOf(one), 1);
  return undefined;
}
