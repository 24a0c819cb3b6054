/**
 * Blackhole routes in the main table. What the machine sends to the address goes nowhere, so no
 * connection comes about and standing ones starve; datagrams still come in. What is not touched: a
 * part of a prefix that has a route of its own, such as a connected network, and traffic that a
 * routing rule sends to another table before main (some VPNs).
 *
 * Ours are the routes that carry our protocol number. Routes of others are never replaced: `add`
 * leaves a route with the same destination and metric alone and fails.
 */
import type {
  Driver,
  DriverKind,
  Effect,
  FoundEffect,
  Reading,
  Settings,
  Usability,
} from '../driver.ts';
import type { CommandStep, StepResult } from '../step.ts';
import { type AddressTarget, parseTarget } from '../target.ts';
import { earlyRules } from './early-rules.ts';

type Family = 4 | 6;

/**
 * Who made a route, as a number. Free for anybody to choose from 5 up (linux/rtnetlink.h); this one
 * is in none of the lists that others keep: rt_protos of iproute2 (to 18, 42, 84, 99, 186 to 193),
 * FRRouting (186 to 199), Calico (80).
 */
const defaultProtocol = '173';

/**
 * `ip -batch` acts on each line as it comes, on half a line too: cut short, it is a route to somebody
 * else, or one that does not look like ours. 1,000 lines are 83 kB at most, which the kernel takes in
 * one write, so that an agent that is killed leaves a whole batch or none (Linux 6.18: up to 128 kB).
 */
const batchSize = 1_000;

export const routeNull: DriverKind<AddressTarget> = {
  name: 'route-null',
  defaults: { protocol: defaultProtocol },
  about: {
    systems: ['Linux'],
    add: '`ip`: adds a blackhole route to it',
    remove: '`ip`: deletes the route',
    options: [],
  },
  make: (settings: Settings): Driver<AddressTarget> => {
    const protocol = settings['protocol'] ?? defaultProtocol;
    return {
      name: 'route-null',
      settings,
      // TCP starves, but its sockets stand for minutes; datagrams still come in.
      traits: { selfExpiring: false, prefixes: true, batchSize, leavesFlows: true },
      probe: {
        steps: [askRight(4, protocol), askRight(6, protocol), list(4), list(6)],
        read: readProbe,
      },
      inspect: { steps: [list(4), list(6)], read: (results) => readRoutes(protocol, results) },
      container: () => undefined,
      watch: [{ kind: 'routes', protocol: Number(protocol) }],
      apply: (effects) => [batch('add', effects, protocol)],
      revert: (effects) => [batch('del', effects, protocol)],
      diagnose: earlyRules,
    };
  },
};

/** With -force a line that fails does not keep the others from being carried out. */
function batch(
  verb: 'add' | 'del',
  effects: readonly Effect<AddressTarget>[],
  protocol: string,
): CommandStep {
  const lines = effects.map(({ target }) => {
    // The metric that wins. For IPv6 `ip` would take 1024, and a route to the same destination with
    // a lower one, such as that of a connected network (256), would go on being used.
    const metric = verb === 'add' && target.family === 6 ? ' metric 1' : '';
    return `route ${verb} blackhole ${target.text} proto ${protocol}${metric}\n`;
  });
  return { kind: 'command', tool: 'ip', args: ['-force', '-batch', '-'], stdin: lines.join('') };
}

/**
 * Asks for a route to be deleted that can not be: in a table that does not exist, to an address that
 * stands in documents only. The kernel looks at the right to do so first, and says which it lacks.
 * The capabilities of the process would not tell: those of a container's root are often not for the
 * network namespace that it sees.
 */
function askRight(family: Family, protocol: string): CommandStep {
  const address = family === 4 ? '192.0.2.0' : '2001:db8::';
  const route = ['blackhole', address, 'table', '4294967295', 'proto', protocol];
  return { kind: 'command', tool: 'ip', args: [`-${family}`, 'route', 'del', ...route] };
}

/** Types of route that keep packets from an address; upstream's `route add X reject` is the second. */
const closedTypes = ['blackhole', 'unreachable', 'prohibit'] as const;

/** -N: numbers, whatever names rt_protos has for them. Each type is answered with a line of JSON. */
function list(family: Family): CommandStep {
  const lines = closedTypes.map((type) => `route show table main type ${type}\n`);
  return {
    kind: 'command',
    tool: 'ip',
    args: ['-N', '-j', `-${family}`, '-batch', '-'],
    stdin: lines.join(''),
  };
}

function readProbe(results: readonly StepResult[]): Usability {
  const [right4, right6, list4, list6] = results;
  if (right4?.failure === 'missing') {
    return { usable: false, why: 'ip (iproute2) is not installed', families: [] };
  }
  const against4 = objection(right4, list4, 4);
  const against6 = objection(right6, list6, 6);
  if (against4 !== undefined) return { usable: false, why: against4, families: [] };
  return against6 === undefined
    ? { usable: true, why: 'blackhole routes', families: [4, 6] }
    : { usable: true, why: `blackhole routes, not for IPv6: ${against6}`, families: [4] };
}

function objection(
  right: StepResult | undefined,
  listed: StepResult | undefined,
  family: Family,
): string | undefined {
  const answer = right?.stderr.trim() ?? '';
  if (answer.includes('not permitted')) return `CAP_NET_ADMIN is missing: ${answer}`;
  const looked = /No such process|FIB table does not exist/.test(answer);
  if (right?.failure !== 'exit' || !looked) return `unexpected: ${answer || 'no answer'}`;
  const routes = parseRoutes(listed, family);
  return typeof routes === 'string' ? routes : undefined;
}

function readRoutes(protocol: string, results: readonly StepResult[]): Reading<AddressTarget> {
  const effects: FoundEffect<AddressTarget>[] = [];
  const foreign: AddressTarget[] = [];
  // A kernel without IPv6 answers that there are none.
  for (const [index, family] of ([4, 6] as const).entries()) {
    const routes = parseRoutes(results[index], family);
    if (typeof routes === 'string') return { known: false, why: routes };
    for (const { type, target, by } of routes) {
      if (type === 'blackhole' && by === protocol) effects.push({ target });
      else foreign.push(target);
    }
  }
  return { known: true, containers: [], effects, foreign, setup: () => [], teardown: () => [] };
}

interface Route {
  readonly type: (typeof closedTypes)[number];
  readonly target: AddressTarget;
  /** The number of the protocol; `ip` leaves out that of routes made by hand. */
  readonly by: string | undefined;
}

/** The routes in an answer, or why it can not be understood. */
function parseRoutes(result: StepResult | undefined, family: Family): Route[] | string {
  const name = `ip -${family} route show`;
  if (result === undefined || result.failure !== undefined) {
    return `${name}: ${result?.stderr.trim() || result?.failure || 'no answer'}`;
  }
  // With status 0, when routes changed while they were listed.
  if (result.stderr.includes('interrupted')) return `${name}: ${result.stderr.trim()}`;
  const lines = result.stdout.trim().split('\n');
  if (lines.length !== closedTypes.length) return `${name}: answered ${lines.length} lines`;
  const routes: Route[] = [];
  for (const [index, type] of closedTypes.entries()) {
    const entries = parseArray(lines[index] ?? '');
    if (entries === undefined) return `${name}: answered no JSON`;
    for (const entry of entries) {
      const target = readDestination(entry, family);
      if (target === undefined) return `${name}: ${JSON.stringify(entry)} is not understood`;
      routes.push({ type, target, by: field(entry, 'protocol') });
    }
  }
  return routes;
}

function parseArray(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function field(entry: unknown, name: 'dst' | 'protocol'): string | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const value = (entry as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : undefined;
}

/** `ip` writes the prefix of length 0 as `default`, and `::102:304` as `::1.2.3.4` (inet_ntop). */
function readDestination(entry: unknown, family: Family): AddressTarget | undefined {
  const text = field(entry, 'dst');
  if (text === undefined) return undefined;
  if (text === 'default') return parseTarget(family === 4 ? '0.0.0.0/0' : '::/0');
  const plain = text.replace(/^::(\d+)\.(\d+)\.(\d+)\.(\d+)/, (_, ...found: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = found.slice(0, 4).map(Number);
    return `::${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const target = parseTarget(plain);
  return target?.family === family ? target : undefined;
}
