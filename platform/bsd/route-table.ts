/** The routing tables of the BSDs and macOS, as their own tools list them. */
import type { CommandStep, StepResult } from '../step.ts';
import { type AddressTarget, parseTarget } from '../target.ts';

type Family = 4 | 6;

export interface Route {
  readonly target: AddressTarget;
  /** As it is printed: an address, an interface (`link#1`), a hardware address. */
  readonly gateway: string;
  /** A letter each, see netstat(1): U up, G gateway, H host, S static, B blackhole, R reject … */
  readonly flags: string;
}

/**
 * Asks for the routes of both families. OpenBSD has them from route(8). The `route show` of NetBSD and
 * DragonFly leaves out which ones are blackholes, and FreeBSD and macOS have none: there netstat(1) is
 * asked, which prints all flags.
 */
export function askRoutes(system: string): CommandStep[] {
  return system === 'openbsd'
    ? [ask('route', ['-n', 'show', '-inet']), ask('route', ['-n', 'show', '-inet6'])]
    : [ask('netstat', ['-rn', '-f', 'inet']), ask('netstat', ['-rn', '-f', 'inet6'])];
}

function ask(tool: string, args: readonly string[]): CommandStep {
  return { kind: 'command', tool, args };
}

/** The routes of one family, or why the answer can not be understood. */
export function readRoutes(result: StepResult | undefined, family: Family): Route[] | string {
  if (result === undefined || result.failure !== undefined) {
    return `routes of IPv${family}: ${result?.stderr.trim() || result?.failure || 'no answer'}`;
  }
  const [title = '', ...lines] = result.stdout.split('\n');
  if (!title.startsWith('Routing tables')) return `routes of IPv${family}: no table was printed`;
  const routes: Route[] = [];
  for (const line of lines) {
    const row = line.trim().split(/\s+/);
    const [destination = '', gateway = '', flags] = row;
    // The name of the family, and the line above the columns.
    if (line.trim() === '' || /^Internet6?:$/.test(line) || destination === 'Destination') continue;
    if (flags === undefined) return `routes of IPv${family}: "${line}" is not understood`;
    const target = readDestination(destination, flags, family);
    if (target !== undefined) routes.push({ target, gateway, flags });
    else if (isBlackhole(flags) && !isNobodys(destination)) {
      return `routes of IPv${family}: "${line}" is not understood`;
    }
  }
  return routes;
}

export function isBlackhole(flags: string): boolean {
  return flags.includes('B') && flags.includes('S');
}

/** A blackhole of somebody else, or what says no instead of nothing. */
export function isClosed(flags: string): boolean {
  return /[BR]/.test(flags);
}

/** With a zone, for IPv4 written as IPv6, or with a mask that is no prefix: never one that we made. */
function isNobodys(destination: string): boolean {
  return /[%&]|^::ffff:/i.test(destination);
}

function readDestination(text: string, flags: string, family: Family): AddressTarget | undefined {
  if (text === 'default') return parseTarget(family === 4 ? '0.0.0.0/0' : '::/0');
  const target = parseTarget(family === 4 ? fullIPv4(text, flags) : plainIPv6(text));
  return target?.family === family ? target : undefined;
}

/**
 * Zeros at the end are left out: `192.0.2/24`, `10/24` (OpenBSD, NetBSD, macOS, DragonFly). So is the
 * length that an address had before there were prefixes: `10` is 10.0.0.0/8, `192.0.2` is
 * 192.0.2.0/24 (macOS, DragonFly).
 */
function fullIPv4(text: string, flags: string): string {
  const [, short = '', length] = /^(\d+(?:\.\d+){0,3})(?:\/(\d+))?$/.exec(text) ?? [];
  if (short === '') return text;
  const parts = short.split('.');
  const address = [...parts, '0', '0', '0'].slice(0, 4).join('.');
  if (length !== undefined) return `${address}/${length}`;
  return parts.length === 4 || flags.includes('H')
    ? address
    : `${address}/${classLength(Number(parts[0]))}`;
}

function classLength(first: number): number {
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}

/** inet_ntop(3) writes `::102:304` as `::1.2.3.4`, and on some systems `::2` as `::0.0.0.2`. */
function plainIPv6(text: string): string {
  return text.replace(/^::(\d+)\.(\d+)\.(\d+)\.(\d+)/, (_, ...found: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = found.slice(0, 4).map(Number);
    return `::${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}
