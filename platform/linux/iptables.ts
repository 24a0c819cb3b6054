/**
 * Blocks with one rule an address, in a chain of ours.
 *
 * Rules are appended: the oldest, which mostly ends first, stands in front, where the tools find it
 * at once. Every packet walks the whole chain, so ipset or nftables are the better choice for many.
 */
import type { Driver, DriverKind, Effect, Reading, Settings } from '../driver.ts';
import { parsePrinted } from '../printed.ts';
import type { StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import {
  askTables,
  chain,
  defaults,
  type Family,
  families,
  isFirst,
  lower,
  raise,
  readTables,
  renewJumps,
  restore,
  type Table,
  watchTables,
} from './xtables.ts';
import { xtablesFindings } from './xtables-findings.ts';
import { probeTables } from './xtables-probe.ts';

export const iptables: DriverKind<AddressTarget> = {
  name: 'iptables',
  defaults,
  about: {
    systems: ['Linux'],
    add: '`iptables-restore`: adds a rule that drops its packets',
    remove: '`iptables-restore`: deletes the rule',
    options: ['iptables_variant'],
  },
  make,
};

function make(settings: Settings): Driver<AddressTarget> {
  return {
    name: 'iptables',
    settings,
    // 2,000 rules are added in 0.05 s; taken away from the far end of 10,000 they cost the nft
    // variant 8 s, and a batch must stay well below its deadline.
    traits: { selfExpiring: false, prefixes: true, batchSize: 2_000 },
    probe: probeTables(settings, ['-A ar-exec-probe -s 192.0.2.1 -j DROP']),
    inspect: { steps: askTables(settings), read: (results) => read(settings, results) },
    container: ({ family }) => containerOf(family),
    watch: watchTables(settings),
    apply: (effects) => plan(settings, effects, 'apply'),
    revert: (effects) => plan(settings, effects, 'revert'),
    diagnose: xtablesFindings(settings),
  };
}

const containerOf = (family: Family): string => `ipv${family}`;

/**
 * One transaction a family. A new block also renews the jumps to our chain in it: if they are gone it
 * fails, and nothing is reported as blocked that is not; if somebody put rules in front of them, they
 * are first again. The deletion costs the nft variant 4 to 16 ms (it waits for the kernel to be done
 * with the old rule), the legacy variant nothing.
 *
 * What stands already has no end that could change, and is left out.
 */
function plan(
  settings: Settings,
  effects: readonly Effect<AddressTarget>[],
  change: 'apply' | 'revert',
) {
  return families.flatMap((family) => {
    const concerned = effects.filter(
      ({ target, standing }) => target.family === family && !(change === 'apply' && standing),
    );
    if (concerned.length === 0) return [];
    const rules = concerned.map(({ target }) => ruleOf(target));
    const lines =
      change === 'apply'
        ? [...renewJumps(), ...rules.map((rule) => `-A ${chain} ${rule}`)]
        : rules.map((rule) => `-D ${chain} ${rule}`);
    return [restore(settings, family, lines)];
  });
}

/**
 * A rule for everything carries a mark: the nft variant (1.8.9) also prints `-j DROP` for a rule of
 * somebody else whose match it cannot show.
 */
function ruleOf(target: AddressTarget): string {
  const match = target.prefixLength === 0 ? everything : `-s ${target.text}`;
  return `${match} -j DROP`;
}

const everything = '-m comment --comment ar-exec';

function targetOf(rule: string, family: Family): AddressTarget | undefined {
  const all = family === 4 ? '0.0.0.0/0' : '::/0';
  const text = rule === `${everything} -j DROP` ? all : /^-s (\S+) -j DROP$/.exec(rule)?.[1];
  const target = parsePrinted(text ?? '');
  return target?.family === family ? target : undefined;
}

function read(settings: Settings, results: readonly StepResult[]): Reading<AddressTarget> {
  const tables = readTables(settings, results);
  if (!tables.known) return tables;
  const found = families.flatMap((family) => {
    const table = tables[family];
    return table === undefined ? [] : [{ family, table, targets: targetsIn(table, family) }];
  });
  return {
    known: true,
    containers: found
      .filter(({ table }) => isFirst(table))
      .map(({ family }) => containerOf(family)),
    effects: found.flatMap(({ targets }) => targets.map((target) => ({ target }))),
    foreign: [],
    setup: (containers) =>
      families
        .filter((family) => containers.includes(containerOf(family)))
        .map((family) => ({ family, lines: raise(tables[family]) }))
        .filter(({ lines }) => lines.length > 0)
        .map(({ family, lines }) => restore(settings, family, lines)),
    teardown: () =>
      found
        .map(({ family, table }) => ({ family, lines: lower(table, table.rules.length > 0) }))
        .filter(({ lines }) => lines.length > 0)
        .map(({ family, lines }) => restore(settings, family, lines)),
  };
}

function targetsIn(table: Table, family: Family): AddressTarget[] {
  return table.rules.map((rule) => targetOf(rule, family)).filter((target) => target !== undefined);
}
