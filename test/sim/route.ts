/**
 * route(8): `add`, `delete` and `get` of all systems, `show` of OpenBSD. FreeBSD and OpenBSD by
 * route.*.txt; NetBSD, DragonFly and macOS by newroute() and rtmsg() of their route.c.
 */
import { parseTarget } from '../../platform/target.ts';
import { getLines, showLines } from './route-printed.ts';
import { readWords, unknown, type Words } from './route-words.ts';
import {
  addRoute,
  deleteRoute,
  isFreeBsd,
  lookUp,
  type Refusal,
  routesOf,
  type SimRoute,
} from './route-world.ts';
import { type Answer, answer, type SimSystem, type Simulator } from './simulator.ts';

export const simulate: Simulator = ({ system, args, switches }, parts) => {
  const routes = routesOf(system, parts);
  const shown = /^-n show -inet(6?)$/.exec(args.join(' '));
  if (shown !== null) {
    // NetBSD and DragonFly have it too, without the flags that are wanted here (their show.c).
    if (system !== 'openbsd76') return unknown(`${args.join(' ')} of ${system}`);
    return answer(0, { out: showLines(routes, shown[1] === '6' ? 6 : 4) });
  }
  const words = readWords(system, args);
  if ('exitCode' in words) return words;
  if (words.command === 'get') return get(system, routes, words);
  if ((switches.euid ?? 0) !== 0) return notRoot(system, words);
  const change = {
    target: words.destination.target,
    gateway: words.gateway,
    closed: words.closed,
  };
  const busy = switches['fail'] === 'ENOBUFS' ? 'ENOBUFS' : undefined;
  const refusal =
    busy ?? (words.command === 'add' ? addRoute : deleteRoute)(system, routes, change);
  return report(system, words, refusal);
};

function get(system: SimSystem, routes: readonly SimRoute[], words: Words): Answer {
  const { target } = words.destination;
  const found =
    words.destination.said === 'default'
      ? routes.find((route) => route.target === target)
      : lookUp(routes, parseTarget(target)?.address ?? '');
  if (found !== undefined) {
    return answer(0, { out: getLines(system, found, words.destination.said) });
  }
  if (isFreeBsd(system)) return answer(1, { err: ['route: route has not been found'] });
  // `if (*cmd == 'g') exit(0)` in macOS and DragonFly.
  const status = system === 'macos14' || system === 'dragonfly6' ? 0 : 1;
  return answer(status, { err: ['route: writing to routing socket: not in table'] });
}

/** EX_NOPERM, before anything is asked of the kernel; NetBSD lets the kernel say it. */
function notRoot(system: SimSystem, words: Words): Answer {
  if (system === 'netbsd10') {
    const said = 'Operation not permitted';
    const out = words.quiet ? [] : [`${headOf(words)}: ${said}`];
    return answer(1, { out, err: [`route: writing to routing socket: ${said}`] });
  }
  const status = system === 'openbsd76' ? 1 : 77;
  return answer(status, { err: ['route: must be root to alter routing table'] });
}

function headOf({ command, destination, gateway }: Words): string {
  const what = `${command} ${destination.isHost ? 'host' : 'net'} ${destination.said}`;
  return gateway === undefined ? what : `${what}: gateway ${gateway}`;
}

const meanings: Readonly<Record<Refusal | 'ENOBUFS', string>> = {
  EEXIST: 'File exists',
  EINVAL: 'Invalid argument',
  ENETUNREACH: 'Network is unreachable',
  ESRCH: 'not in table',
  ENOBUFS: 'routing table overflow',
};

function report(system: SimSystem, words: Words, refusal?: Refusal | 'ENOBUFS'): Answer {
  const head = headOf(words);
  // macOS has -q for `flush` alone.
  const quiet = words.quiet && system !== 'macos14';
  const print = (text: string) => (quiet ? [] : [text]);
  if (refusal === undefined) return answer(0, { out: print(head) });
  const said = meanings[refusal];
  if (isFreeBsd(system)) {
    const printed = refusal === 'EEXIST' ? 'route already in table' : said;
    const err = complaint(system, refusal).map((text) => `route: ${text}`);
    return answer(1, { out: print(`${head} fib 0: ${printed}`), err });
  }
  if (system === 'openbsd76') return answer(1, { out: print(`${head}: ${said}`) });
  const err = [`route: writing to routing socket: ${said}`];
  // exit(0) after newroute() in macOS, whatever came of it.
  return answer(system === 'macos14' ? 0 : 1, { out: print(`${head}: ${said}`), err });
}

/** 13 writes to a routing socket and is silent of what exists; 15 talks netlink. */
function complaint(system: SimSystem, refusal: Refusal | 'ENOBUFS'): string[] {
  if (refusal === 'ESRCH') return ['route has not been found'];
  if (system === 'freebsd15') return [`message indicates error: ${meanings[refusal]}`];
  return refusal === 'EEXIST' ? [] : [`writing to routing socket: ${meanings[refusal]}`];
}
