/**
 * Blocks with one rule an address, in a chain of ours.
 *
 * Rules are appended: the oldest, which mostly ends first, stands in front, where the tools find it
 * at once. Every packet walks the whole chain, so ipset or nftables are the better choice for many.
 */
import type { Driver, DriverKind, Effect, Reading, Settings } from '../driver.ts';
import { parsePrinted } from '../printed.ts';
import type { Step, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import {
  askTables,
  chain,
  defaults,
  type Family,
  families,
  hooks,
  isFirst,
  lower,
  raise,
  readTables,
  renewJump,
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
    apply: (effects) => inEach((family) => renewed(additions(effects, family)), settings),
    revert: (effects) => inEach((family) => deletions(effects, family), settings),
    diagnose: xtablesFindings(settings),
  };
}

const containerOf = (family: Family): string => `ipv${family}`;

/** One transaction a family, if there is anything to do in it. */
function inEach(linesOf: (family: Family) => readonly string[], settings: Settings): Step[] {
  return families
    .map((family) => ({ family, lines: linesOf(family) }))
    .filter(({ lines }) => lines.length > 0)
    .map(({ family, lines }) => restore(settings, family, lines));
}

/**
 * A new block also renews the jumps to our chain in it: if they are gone it
 * fails, and nothing is reported as blocked that is not; if somebody put rules in front of them, they
 * are first again. The deletion costs the nft variant 4 to 16 ms (it waits for the kernel to be done
 * with the old rule), the legacy variant nothing.
 */
function renewed(rules: readonly string[]): readonly string[] {
  return rules.length === 0 ? [] : [...hooks.flatMap(renewJump), ...rules];
}

/** What stands already has no end that could change, and is left out. */
function additions(effects: readonly Effect<AddressTarget>[], family: Family): string[] {
  return effects
    .filter(({ target, standing }) => target.family === family && standing !== true)
    .map(({ target }) => `-A ${chain} ${ruleOf(target)}`);
}

function deletions(effects: readonly Effect<AddressTarget>[], family: Family): string[] {
  return effects
    .filter(({ target }) => target.family === family)
    .map(({ target }) => `-D ${chain} ${ruleOf(target)}`);
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
    setup: (containers) => {
      const lacks = (family: Family): boolean => containers.includes(containerOf(family));
      return inEach((family) => (lacks(family) ? raise(tables[family]) : []), settings);
    },
    rebuild: (containers, effects) =>
      inEach((family) => {
        const rules = additions(effects, family);
        return containers.includes(containerOf(family))
          ? [...raise(tables[family], renewJump), ...rules]
          : renewed(rules);
      }, settings),
    teardown: () =>
      inEach((family) => {
        const table = tables[family];
        return table === undefined ? [] : lower(table, table.rules.length > 0);
      }, settings),
  };
}

function targetsIn(table: Table, family: Family): AddressTarget[] {
  return table.rules.map((rule) => targetOf(rule, family)).filter((target) => target !== undefined);
}
