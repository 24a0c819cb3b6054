/**
 * route.exe of Windows: `ADD`, `DELETE` and `PRINT`. It ends with 0 whatever came of it, and takes `*`
 * and `?` in what it deletes for any characters. Switch: `limited`, no administrator.
 */
import { isIPv4 } from 'node:net';
import { lengthOfMask } from '../../platform/windows/firewall-rules.ts';
import { maskOf } from './netsh-rule.ts';
import type { Answer, Simulator } from './simulator.ts';
import { addressOf, familyOf, interfaces, routesOf, type SimRoute } from './windows-routes.ts';
import { filled, print, unknown, type Words, wordsOf } from './windows-words.ts';

export const simulate: Simulator = (call, parts) => {
  const words = wordsOf(call);
  const routes = routesOf(parts);
  const given = [...call.args];
  const persistent = given[0]?.toLowerCase() === '-p';
  if (persistent) given.shift();
  const [verb = '', ...rest] = given;
  const line = rest.join(' ');
  switch (verb.toLowerCase()) {
    case 'print':
      if (line !== '-4' && line !== '-6') return unknown(`route ${call.args.join(' ')}`);
      return printed(words, routes, line === '-4' ? 4 : 6);
    case 'add':
    case 'delete': {
      if (call.switches['limited'] === true) return print(0, [], [words.elevation]);
      const change = readChange(rest);
      if (change === undefined) return unknown(`route ${call.args.join(' ')}`);
      return verb.toLowerCase() === 'add'
        ? add(words, routes, { ...change, persistent })
        : remove(words, routes, change);
    }
    default:
      return unknown(`route ${call.args.join(' ')}`);
  }
};

interface Change {
  readonly destination: string;
  readonly mask?: string | undefined;
  readonly gateway?: string | undefined;
  readonly index?: number | undefined;
}

/** `DESTINATION [MASK mask] [gateway] [METRIC n] [IF n]` */
function readChange([destination = '', ...rest]: readonly string[]): Change | undefined {
  const found: { mask?: string; gateway?: string; metric?: string; if?: string } = {};
  for (let at = 0; at < rest.length; at += 1) {
    const word = rest[at]?.toLowerCase() ?? '';
    if (word === 'mask' || word === 'metric' || word === 'if') {
      at += 1;
      const value = rest[at];
      if (value === undefined) return undefined;
      found[word] = value;
    } else if (isIPv4(word) && found.gateway === undefined) found.gateway = word;
    else return undefined;
  }
  return {
    destination,
    mask: found.mask,
    gateway: found.gateway,
    index: found.if === undefined ? undefined : Number(found.if),
  };
}

function targetOf({ destination, mask = '255.255.255.255' }: Change): string | undefined {
  const length = isIPv4(mask) && isIPv4(destination) ? lengthOfMask(mask) : undefined;
  if (length === undefined) return undefined;
  // Bits behind the mask are no destination.
  const parts = mask.split('.').map(Number);
  const inside = destination
    .split('.')
    .every((part, at) => (Number(part) & ~(parts[at] ?? 0)) === 0);
  if (!inside) return undefined;
  return length === 32 ? destination : `${destination}/${length}`;
}

function add(
  words: Words,
  routes: SimRoute[],
  change: Change & { readonly persistent: boolean },
): Answer {
  const { gateway, index, persistent } = change;
  const failed = (why: string): Answer => print(0, [filled(words.routeAdd, why), '']);
  const target = targetOf(change);
  // Nothing on this machine is reached by way of a loopback address, and what is on the link needs to be told on which.
  if (target === undefined || gateway === undefined || gateway.startsWith('127.')) {
    return failed(words.parameter);
  }
  if (index !== undefined && !interfaces.some((one) => one.index === index)) {
    return failed(words.element);
  }
  const onLink = gateway === '0.0.0.0';
  if (onLink && index === undefined) return failed(words.parameter);
  const route: SimRoute = {
    target,
    interface: index ?? 12,
    metric: index === 1 ? 76 : 26,
    store: 'active',
    ...(onLink ? {} : { gateway }),
  };
  const exists = routes.some(
    (one) =>
      one.store === 'active' &&
      one.target === target &&
      one.interface === route.interface &&
      one.gateway === route.gateway,
  );
  if (exists) return failed(words.exists);
  routes.push(route);
  if (persistent) routes.push({ ...route, store: 'persistent' });
  return print(0, [words.routeOk]);
}

/** From both stores; without a mask, a gateway or an interface: whatever those are. */
function remove(words: Words, routes: SimRoute[], change: Change): Answer {
  const shape = new RegExp(
    `^${change.destination.replace(/[.]/g, '\\.').replaceAll('*', '.*').replaceAll('?', '.')}$`,
  );
  const gone = routes.filter((route) => {
    const [address = '', length = '32'] = route.target.split('/');
    return (
      familyOf(route) === 4 &&
      shape.test(address) &&
      (change.mask === undefined || change.mask === maskOf(Number(length))) &&
      (change.gateway === undefined || change.gateway === (route.gateway ?? '0.0.0.0')) &&
      (change.index === undefined || change.index === route.interface)
    );
  });
  if (gone.length === 0) return print(0, [filled(words.routeDelete, words.element), '']);
  for (const one of gone) routes.splice(routes.indexOf(one), 1);
  return print(0, [words.routeOk]);
}

const line = '='.repeat(75);

function printed(words: Words, routes: readonly SimRoute[], family: 4 | 6): Answer {
  const own = routes.filter((route) => familyOf(route) === family);
  const active = own.filter(({ store }) => store === 'active');
  const kept = own.filter(({ store }) => store === 'persistent');
  const rows = (some: readonly SimRoute[], title: string, row: (route: SimRoute) => string[]) =>
    some.length === 0 ? [words.none] : [title, ...some.flatMap(row)];
  const activeRows =
    family === 4
      ? rows(active, words.columns4, (route) => [row4(words, route)])
      : rows(active, words.columns6, (route) => row6(words, route));
  const keptRows =
    family === 4
      ? rows(kept, words.kept4, (route) => [kept4(words, route)])
      : rows(kept, words.columns6, (route) => row6(words, { ...route, interface: 0 }));
  return print(0, [
    line,
    words.interfaces,
    ...interfaces.map(({ index, card }) => `${String(index).padStart(3)}${card}`),
    line,
    '',
    filled(words.table, family),
    line,
    words.active,
    ...activeRows,
    line,
    words.persistent,
    ...keptRows,
  ]);
}

function row4(words: Words, route: SimRoute): string {
  const [address = '', length = '32'] = route.target.split('/');
  return [
    address.padStart(17),
    maskOf(Number(length)).padStart(17),
    (route.gateway ?? words.onLink).padStart(17),
    addressOf(route.interface).padStart(17),
    String(route.metric).padStart(7),
  ].join('');
}

function kept4(words: Words, { target, gateway }: SimRoute): string {
  const [address = '', length = '32'] = target.split('/');
  return [
    address.padStart(17),
    maskOf(Number(length)).padStart(17),
    (gateway ?? words.onLink).padStart(17),
    words.defaultMetric.padStart(9),
  ].join('');
}

/** A destination that is too long for its column has its gateway in the next line. */
function row6(
  words: Words,
  { target, gateway = words.onLink, interface: index, metric }: SimRoute,
) {
  const shown = target.includes('/') ? target : `${target}/128`;
  const front = `${String(index).padStart(3)} ${String(metric).padStart(6)} `;
  return shown.length <= 24
    ? [`${front}${shown.padEnd(24)} ${gateway}`]
    : [`${front}${shown}`, `${' '.repeat(35)} ${gateway}`];
}
