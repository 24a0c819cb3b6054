/** The words of a route(8) command line, as each system understands them. */
import { parseTarget } from '../../platform/target.ts';
import { isFreeBsd } from './route-world.ts';
import { type Answer, answer, type SimSystem } from './simulator.ts';

export interface Words {
  readonly command: string;
  readonly quiet: boolean;
  readonly destination: Destination;
  readonly gateway?: string | undefined;
  readonly closed?: 'BLACKHOLE' | 'REJECT' | undefined;
  readonly family: 4 | 6;
}

export interface Destination {
  readonly target: string;
  readonly isHost: boolean;
  /** As it is repeated. */
  readonly said: string;
}

export const unknown = (what: string): Answer =>
  answer(99, { err: [`simulator: not known: route ${what}`] });

/** All transcripts; macOS: usage() of route.tproj. */
function usage(system: SimSystem, keyword?: string): Answer {
  switch (system) {
    case 'freebsd13':
    case 'freebsd15': {
      const jail = system === 'freebsd15' ? '[-j jail] ' : '';
      const err = [`route: usage: route ${jail}[-46dnqtv] command [[modifiers] args]`];
      return answer(64, { err: [...(keyword ? [`route: bad keyword: ${keyword}`] : []), ...err] });
    }
    case 'openbsd76': {
      const err = ['usage: route [-dnqtv] [-T rtable] command [[modifier ...] arg ...]'];
      return answer(1, {
        err: [...(keyword ? [`route: botched keyword: ${keyword}`] : []), ...err],
      });
    }
    case 'macos14': {
      const err = ['usage: route [-dnqtv] command [[modifiers] args]'];
      return answer(64, { err: [...(keyword ? [`route: bad keyword: ${keyword}`] : []), ...err] });
    }
    default:
      return unknown(`usage of ${system}`);
  }
}

/** What `add`, `delete` and `get` were told; or what is said of it. */
export function readWords(system: SimSystem, args: readonly string[]): Words | Answer {
  const rest = [...args];
  let quiet = false;
  while (rest[0]?.startsWith('-')) {
    const options = rest.shift() ?? '';
    if (!/^-[nq]+$/.test(options)) return unknown(args.join(' '));
    quiet ||= options.includes('q');
  }
  const command = rest.shift();
  if (command === undefined) return usage(system);
  if (!['add', 'delete', 'get'].includes(command)) return usage(system, command);
  const forced = new Set<'host' | 'net'>();
  let six = false;
  let closed: Words['closed'];
  const names: string[] = [];
  for (const word of rest) {
    if (!word.startsWith('-')) names.push(word);
    else if (word === '-inet6' || (word === '-6' && isFreeBsd(system))) six = true;
    else if (word === '-host' || word === '-net') forced.add(word === '-host' ? 'host' : 'net');
    else if (word === '-blackhole') closed = 'BLACKHOLE';
    else if (word === '-reject') closed = 'REJECT';
    else return usage(system, word.slice(1));
  }
  const [name, gateway, more] = names;
  if (name === undefined || more !== undefined || forced.size > 1) return unknown(args.join(' '));
  // Of all of them only OpenBSD guesses the family (route.*.txt).
  const family = six || (system === 'openbsd76' && name.includes(':')) ? 6 : 4;
  const destination = readDestination(system, name, { family, forced: [...forced][0] });
  if ('exitCode' in destination) return destination;
  if (gateway !== undefined && parseTarget(gateway)?.family !== family) {
    return badAddress(system, gateway);
  }
  return { command, quiet, destination, gateway, closed, family };
}

type Wanted = { readonly family: 4 | 6; readonly forced: 'host' | 'net' | undefined };

function readDestination(
  system: SimSystem,
  name: string,
  { family, forced }: Wanted,
): Destination | Answer {
  if (name === 'default') {
    return { target: family === 4 ? '0.0.0.0/0' : '::/0', isHost: false, said: name };
  }
  const [, length] = name.split('/');
  if (family === 4 && Number(length) > 32) {
    return isFreeBsd(system)
      ? answer(68, { err: [`route: bad mask length: ${length}`] })
      : badAddress(system, name);
  }
  const target = readPartial(system, name, forced) ?? parseTarget(name)?.text;
  if (target === undefined || target.includes(':') !== (family === 6)) {
    return badAddress(system, name);
  }
  // FreeBSD calls a prefix of one host a net, OpenBSD a host (`203.0.113.5/32`); the others: as FreeBSD.
  const isNet = target.includes('/') || (length !== undefined && system !== 'openbsd76');
  // What stands before the slash is kept in IPv4, as getaddr() has cut it there; not on OpenBSD.
  const said = family === 4 && system !== 'openbsd76' ? (name.split('/')[0] ?? '') : name;
  const guessed = length === undefined ? guessNet(system, target, forced) : undefined;
  if (guessed === 'unknown') return unknown(name);
  if (guessed !== undefined) return { target: guessed, isHost: false, said };
  return { target, isHost: forced === 'host' || (forced !== 'net' && !isNet), said };
}

/** `10.1` is a host on FreeBSD and a net on OpenBSD (route.*.txt); elsewhere nobody has tried. */
function readPartial(
  system: SimSystem,
  name: string,
  forced: Wanted['forced'],
): string | undefined {
  if (!/^\d+(\.\d+){0,2}$/.test(name)) return undefined;
  const parts = name.split('.');
  const filled = (count: number) => Array.from({ length: count }, () => '0');
  if (system === 'openbsd76' || (isFreeBsd(system) && forced === 'net')) {
    return `${[...parts, ...filled(4 - parts.length)].join('.')}/${parts.length * 8}`;
  }
  const [first = '', ...others] = parts;
  return isFreeBsd(system) ? [first, ...filled(4 - parts.length), ...others].join('.') : undefined;
}

/**
 * inet6_makenetandmask() of NetBSD, DragonFly and macOS: a global address with nothing in its lower half
 * is a net of 64 bits, unless it is forced to be a host; what OpenBSD and NetBSD make of both, nobody has
 * tried. For IPv4, inet_lnaof(): by the class of the address; nobody has tried that either.
 */
function guessNet(system: SimSystem, target: string, forced: Wanted['forced']): string | undefined {
  if (!target.includes(':')) {
    return target.endsWith('.0') && forced === undefined ? 'unknown' : undefined;
  }
  const isGlobal = /^[23][0-9a-f]{3}:/.test(target);
  if (isFreeBsd(system) || !isGlobal || parseTarget(`${target}/64`)?.text !== `${target}/64`) {
    return undefined;
  }
  if (system === 'openbsd76' || system === 'netbsd10') return 'unknown';
  return forced === 'host' ? undefined : `${target}/64`;
}

/** FreeBSD and OpenBSD: transcripts. macOS and DragonFly: errx(EX_NOHOST); NetBSD: getaddr(). */
function badAddress(system: SimSystem, name: string): Answer {
  if (system === 'openbsd76') return answer(1, { err: [`route: ${name}: bad address`] });
  if (system === 'netbsd10') return answer(1, { err: [`route: ${name}: bad value`] });
  return answer(68, { err: [`route: bad address: ${name}`] });
}
