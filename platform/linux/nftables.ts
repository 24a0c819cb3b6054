/**
 * nftables: a table of our own, in which every set brings the two chains that enforce it.
 *
 * Hosts live in plain sets, whose cost of one more element does not grow with what they hold.
 * Prefixes live in interval sets, one for each prefix length: within one length no two prefixes
 * overlap, so that nested ones neither refuse each other nor share an end, as they would in one
 * interval set (with `auto-merge` two timeouts become one).
 *
 * Everything is one transaction of nft(8): a batch is in the kernel whole or not at all.
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
import type { AddressTarget } from '../target.ts';
import { readElement, setOf } from './nftables-elements.ts';

/** Before the priority `filter` (0), where other rules decide: a drop is final, an accept is not. */
const priority = -10;
const hooks = ['input', 'forward'] as const;
/** nft takes up to 49,710 days (32 bits of seconds). */
const dayMs = 86_400_000;
const longestExpiryMs = 49_710 * dayMs;

export const nftables: DriverKind<AddressTarget> = {
  name: 'nftables',
  defaults: { table: 'ar-exec' },
  about: {
    systems: ['Linux'],
    add: '`nft`: puts it into a set whose packets are dropped',
    remove: '`nft`: takes it out of the set',
    options: [],
  },
  make: (settings: Settings): Driver<AddressTarget> => {
    const table = settings['table'] ?? 'ar-exec';
    return {
      name: 'nftables',
      settings,
      traits: { selfExpiring: true, longestExpiryMs, prefixes: true, batchSize: 4_096 },
      probe: {
        // `--check` has the kernel judge the very transaction that would be used, and drop it.
        steps: [
          { kind: 'command', tool: 'nft', args: ['--version'] },
          nft(declare(table, 'hosts4'), ['--check']),
          nft(declare(table, 'hosts6'), ['--check']),
        ],
        read: readProbe,
      },
      inspect: {
        steps: [
          { kind: 'command', tool: 'nft', args: ['-j', 'list', 'tables', 'inet'] },
          { kind: 'command', tool: 'nft', args: ['-j', 'list', 'table', 'inet', table] },
        ],
        read: (results) => readTable(table, results),
      },
      container: setOf,
      watch: [{ kind: 'nftables', family: 'inet', table }],
      apply: (effects) => [{ ...nft(elementScript(table, effects, applyLines)), standby: true }],
      // An element that is not there would void the transaction: added first, its deletion succeeds.
      revert: (effects) => [{ ...nft(elementScript(table, effects, revertLines)), standby: true }],
    };
  },
};

function nft(script: string, options: readonly string[] = []): CommandStep {
  return { kind: 'command', tool: 'nft', args: [...options, '-f', '-'], stdin: script };
}

/** A set and its chains. Repeating it changes nothing, and no packet sees a moment without rules. */
function declare(table: string, set: string): string {
  const v6 = set.startsWith('hosts6') || set.startsWith('nets6');
  const type = v6 ? 'ipv6_addr' : 'ipv4_addr';
  const flags = set.startsWith('nets') ? 'interval, timeout' : 'timeout';
  const lines = [
    `add table inet ${table}`,
    `add set inet ${table} ${set} { type ${type}; flags ${flags}; }`,
  ];
  for (const hook of hooks) {
    const chain = `${set}-${hook}`;
    lines.push(
      `add chain inet ${table} ${chain} { type filter hook ${hook} priority ${priority}; policy accept; }`,
      `flush chain inet ${table} ${chain}`,
      `add rule inet ${table} ${chain} ${v6 ? 'ip6' : 'ip'} saddr @${set} counter drop`,
    );
  }
  return `${lines.join('\n')}\n`;
}

const declareAll = (table: string, sets: readonly string[]): string =>
  sets.map((set) => declare(table, set)).join('');

type Lines = (table: string, set: string, effects: readonly Effect<AddressTarget>[]) => string[];

function elementScript(
  table: string,
  effects: readonly Effect<AddressTarget>[],
  lines: Lines,
): string {
  const bySet = new Map<string, Effect<AddressTarget>[]>();
  for (const effect of effects) {
    const set = setOf(effect.target);
    const list = bySet.get(set);
    if (list === undefined) bySet.set(set, [effect]);
    else list.push(effect);
  }
  return `${[...bySet].flatMap(([set, list]) => lines(table, set, list)).join('\n')}\n`;
}

/**
 * Kernels before 6.12 keep the old timeout of an element that is added again, and say nothing; so a
 * standing element is taken out and put back within the transaction.
 */
const applyLines: Lines = (table, set, effects) => {
  const standing = effects.filter((effect) => effect.standing === true);
  const lines: string[] = [];
  if (standing.length > 0) lines.push(...revertLines(table, set, standing));
  const elements = effects.map(({ target, expiresInMs }) =>
    expiresInMs === undefined ? target.text : `${target.text} timeout ${duration(expiresInMs)}`,
  );
  lines.push(`add element inet ${table} ${set} { ${elements.join(', ')} }`);
  return lines;
};

const revertLines: Lines = (table, set, effects) => {
  const elements = effects.map(({ target }) => target.text).join(', ');
  return [
    `add element inet ${table} ${set} { ${elements} }`,
    `delete element inet ${table} ${set} { ${elements} }`,
  ];
};

/** In days and milliseconds: nft (1.0.6) takes no number of more than eight digits here. */
function duration(expiresInMs: number): string {
  const whole = Math.max(1, Math.min(longestExpiryMs, Math.ceil(expiresInMs)));
  return `${Math.floor(whole / dayMs)}d${whole % dayMs}ms`;
}

function readProbe(results: readonly StepResult[]): Usability {
  const [version, v4, v6] = results;
  if (version === undefined || version.failure === 'missing') {
    return { usable: false, why: 'nft is not installed', families: [] };
  }
  const name = /v\d[\d.]*/.exec(version.stdout)?.[0] ?? 'unknown version';
  const families = [
    ...(v4?.failure === undefined ? [4 as const] : []),
    ...(v6?.failure === undefined ? [6 as const] : []),
  ];
  if (families.length > 0) return { usable: true, why: `nft ${name}`, families };
  const said = v4?.stderr.trim().split('\n')[0] ?? 'no answer';
  return { usable: false, why: `nft ${name} cannot make sets here: ${said}`, families };
}

const ourSet = /^(hosts[46]|nets[46]-\d+)$/;
const ourChain = /^(hosts[46]|nets[46]-\d+)-(input|forward)$/;

interface Listed {
  readonly chain?: {
    readonly name: string;
    readonly type?: string;
    readonly hook?: string;
    readonly prio?: number;
    readonly policy?: string;
  };
  readonly rule?: { readonly chain: string; readonly expr: readonly unknown[] };
  readonly set?: { readonly name: string; readonly elem?: readonly unknown[] };
  readonly table?: { readonly name: string };
}

function readTable(table: string, results: readonly StepResult[]): Reading<AddressTarget> {
  const [tables, content] = results;
  const names = parse(tables);
  if (names === undefined) return { known: false, why: `nft: ${tables?.stderr.trim()}` };
  if (!names.some((one) => one.table?.name === table)) return reading(table, [], []);
  const objects = parse(content);
  if (objects === undefined) return { known: false, why: `nft: ${content?.stderr.trim()}` };
  const sets = objects.flatMap(({ set }) =>
    set !== undefined && ourSet.test(set.name) ? [set] : [],
  );
  const foreign = objects.some(
    ({ set, chain }) =>
      (set !== undefined && !ourSet.test(set.name)) ||
      (chain !== undefined && !ourChain.test(chain.name)),
  );
  const effects: FoundEffect<AddressTarget>[] = [];
  for (const set of sets) {
    for (const element of set.elem ?? []) {
      const found = readElement(set.name, element);
      if (found === undefined) {
        return { known: false, why: `nft: an element of ${set.name} that ar-exec did not make` };
      }
      effects.push(found);
    }
  }
  return reading(
    table,
    sets.map(({ name }) => name).filter((name) => isEnforced(name, objects)),
    effects,
    // Somebody keeps things of their own in our table: it stays.
    !foreign,
  );
}

function reading(
  table: string,
  containers: readonly string[],
  effects: readonly FoundEffect<AddressTarget>[],
  removable = false,
): Reading<AddressTarget> {
  return {
    known: true,
    containers,
    effects,
    foreign: [],
    setup: (names) => [nft(declareAll(table, names))],
    rebuild: (names, wanted) => {
      const script = declareAll(table, names) + elementScript(table, wanted, applyLines);
      return [{ ...nft(script), standby: true }];
    },
    teardown: () => (removable ? [nft(`delete table inet ${table}\n`)] : []),
  };
}

function parse(result: StepResult | undefined): Listed[] | undefined {
  if (result === undefined || result.failure !== undefined) return undefined;
  try {
    const parsed = JSON.parse(result.stdout) as { nftables?: Listed[] };
    return Array.isArray(parsed.nftables) ? parsed.nftables : undefined;
  } catch {
    return undefined;
  }
}

/** A set acts when both of its chains hang in their hooks and drop what is in it. */
function isEnforced(set: string, objects: readonly Listed[]): boolean {
  return hooks.every((hook) => {
    const name = `${set}-${hook}`;
    const hangs = objects.some(
      ({ chain }) =>
        chain?.name === name &&
        chain.type === 'filter' &&
        chain.hook === hook &&
        chain.prio === priority,
    );
    const rules = objects.filter(({ rule }) => rule?.chain === name);
    return hangs && rules.length === 1 && drops(set, rules[0]?.rule?.expr ?? []);
  });
}

function drops(set: string, expressions: readonly unknown[]): boolean {
  const [match, , verdict] = expressions as [
    { match?: { op?: string; right?: unknown; left?: { payload?: { field?: string } } } }?,
    unknown?,
    object?,
  ];
  return (
    expressions.length === 3 &&
    match?.match?.op === '==' &&
    match.match.right === `@${set}` &&
    match.match.left?.payload?.field === 'saddr' &&
    verdict !== undefined &&
    'drop' in verdict
  );
}
