/**
 * Blocks with sets of addresses that the kernel searches by hash and empties by itself: hosts in one
 * set a family, prefixes in another (a hash:ip set would take a prefix apart into single addresses).
 * One rule a set, in a chain of ours, drops what is in it.
 */
import type { Driver, DriverKind, Effect, Reading, Settings } from '../driver.ts';
import type { CommandStep, Step, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import {
  askContents,
  askNames,
  type FoundSet,
  inet,
  mostEntries,
  ownSets,
  readSets,
  setOf,
} from './ipset-sets.ts';
import {
  askTables,
  chain,
  checkJump,
  complaint,
  defaults,
  families,
  hooks,
  isFirst,
  lower,
  raise,
  readTables,
  restore,
  type Table,
  watchTables,
} from './xtables.ts';
import { xtablesFindings } from './xtables-findings.ts';
import { type Extra, probeTables } from './xtables-probe.ts';

export const ipset: DriverKind<AddressTarget> = {
  name: 'ipset',
  defaults,
  about: {
    systems: ['Linux'],
    add: '`ipset`: puts it into a set whose packets a rule of `iptables` drops',
    remove: '`ipset`: takes it out of the set',
    options: ['iptables_variant'],
  },
  make,
};

/** ipset refuses a longer timeout (ipset(8); 32 bits of milliseconds in the kernel). */
const longestSeconds = 2_147_483;

/**
 * `ipset restore` acts on each line as it comes, on half a line too: cut short, `203.0.113.17` is the
 * address of somebody else. 1,000 lines are 75 kB at most, which the kernel takes in one write, so
 * that an agent that is killed leaves a whole batch or none (Linux 6.18: up to 128 kB). They are in
 * their set in 6 ms.
 */
const batchSize = 1_000;

function make(settings: Settings): Driver<AddressTarget> {
  const tables = askTables(settings);
  return {
    name: 'ipset',
    settings,
    traits: {
      selfExpiring: true,
      longestExpiryMs: longestSeconds * 1_000,
      prefixes: true,
      batchSize,
    },
    probe: probeTables(settings, [`-A ar-exec-probe ${dropRule(probed)}`], setSupport),
    inspect: {
      steps: [...tables, askNames],
      more: (results) => askContents(results[tables.length]),
      read: (results) => read(settings, results),
    },
    container: setOf,
    watch: [{ kind: 'ipset', sets: ownSets.map(({ name }) => name) }, ...watchTables(settings)],
    apply: (effects) => [...checkRules(settings, effects), ...restoreAll(effects.map(addLine))],
    revert: (effects) => [
      ipsetRestore(effects.map(({ target }) => `del ${setOf(target)} ${target.text}`)),
    ],
    diagnose: xtablesFindings(settings),
  };
}

const dropRule = (set: string): string => `-m set --match-set ${set} src -j DROP`;

/** With -exist, an entry that stands gets its new timeout, and one that is gone can be deleted. */
function ipsetRestore(lines: readonly string[]): CommandStep {
  const stdin = lines.map((line) => `${line}\n`).join('');
  return { kind: 'command', tool: 'ipset', args: ['restore', '-exist'], stdin };
}

function restoreAll(lines: readonly string[]): CommandStep[] {
  return lines.length === 0 ? [] : [ipsetRestore(lines)];
}

function addLine({ target, expiresInMs }: Effect<AddressTarget>): string {
  const seconds =
    expiresInMs === undefined
      ? 0
      : Math.min(longestSeconds, Math.max(1, Math.ceil(expiresInMs / 1_000)));
  return `add ${setOf(target)} ${target.text} timeout ${seconds}`;
}

/**
 * An entry in a set that no rule asks for blocks nobody. So a batch begins with a look at the rules
 * it counts on, 2 ms a family, and fails if one is gone. To make the chain the first again each time
 * (as the iptables driver does) would cost 4 to 16 ms with the nft variant; here `inspect` sees to it.
 */
function checkRules(settings: Settings, effects: readonly Effect<AddressTarget>[]): Step[] {
  const touched = new Set(effects.map(({ target }) => setOf(target)));
  return families.flatMap((family) => {
    const sets = ownSets.filter((set) => set.family === family && touched.has(set.name));
    if (sets.length === 0) return [];
    const checks = sets.map(({ name }) => `-C ${chain} ${dropRule(name)}`);
    return [restore(settings, family, [...hooks.flatMap(checkJump), ...checks])];
  });
}

function read(settings: Settings, results: readonly StepResult[]): Reading<AddressTarget> {
  const tables = readTables(settings, results);
  if (!tables.known) return tables;
  const [list, ...contents] = results.slice(askTables(settings).length);
  const found = readSets(list, contents);
  if (!found.known) return found;
  const { sets } = found;
  const missed = sets.find(({ exists, own }) => !exists && hasRule(tables[own.family], own.name));
  if (missed !== undefined) {
    return { known: false, why: `ipset does not list ${missed.own.name}, which a rule asks for` };
  }
  const whole = sets.filter((set) => isWhole(set, tables[set.own.family]));
  const among = (containers: readonly string[]): FoundSet[] =>
    sets.filter(({ own }) => containers.includes(own.name));
  const rulesOf = (wanted: readonly FoundSet[], raiseRules: typeof raiseMissing): Step[] =>
    families.flatMap((family) => {
      const names = namesOf(wanted, family);
      const lines = names.length === 0 ? [] : raiseRules(tables[family], names);
      return lines.length === 0 ? [] : [restore(settings, family, lines)];
    });
  return {
    known: true,
    containers: whole.map(({ own }) => own.name),
    effects: sets.flatMap(({ effects }) => effects),
    foreign: [],
    setup: (containers) => {
      const wanted = among(containers);
      const creations = wanted.filter(({ fits }) => !fits).map(createLine);
      return [...restoreAll(creations), ...rulesOf(wanted, raiseMissing)];
    },
    // What stands whole has been seen right now, and needs no look at its rules. An entry that no rule
    // asks for yet does nothing, so sets and entries are one process, and the rules follow.
    rebuild: (containers, effects) => {
      const wanted = among(containers);
      const creations = wanted.filter(({ fits, asMade }) => asMade || !fits).map(createLine);
      return [...restoreAll([...creations, ...effects.map(addLine)]), ...rulesOf(wanted, raiseAll)];
    },
    teardown: () => [
      ...families.flatMap((family) => {
        const lines = lowerRules(tables[family], sets);
        return lines.length === 0 ? [] : [restore(settings, family, lines)];
      }),
      ...destroySets(
        sets,
        families.flatMap((family) => tables[family] ?? []),
      ),
    ],
  };
}

function isWhole(set: FoundSet, table: Table | undefined): boolean {
  return set.fits && table !== undefined && isFirst(table) && hasRule(table, set.own.name);
}

/** The kernel keeps a set that a rule asks for: a list without it cannot be the whole list. */
function hasRule(table: Table | undefined, set: string): boolean {
  return table?.rules.includes(dropRule(set)) === true;
}

/**
 * With -exist nothing happens when a set stands that was made with the same words. One of our name and
 * of another kind is not touched: ipset refuses to make ours beside it, and says so.
 */
function createLine({ own: { name, type, family } }: FoundSet): string {
  return `create ${name} ${type} family ${inet(family)} maxelem ${mostEntries} timeout 0`;
}

function raiseMissing(table: Table | undefined, names: readonly string[]): string[] {
  const lacking = names.filter((name) => !hasRule(table, name));
  return [...raise(table), ...lacking.map((name) => `-A ${chain} ${dropRule(name)}`)];
}

/** The same, and fails if one of those that stood is gone. */
function raiseAll(table: Table | undefined, names: readonly string[]): string[] {
  const rules = names.map((name) => {
    return `${hasRule(table, name) ? '-C' : '-A'} ${chain} ${dropRule(name)}`;
  });
  return [...raise(table, checkJump), ...rules];
}

/** The drop rule of a set that somebody put entries into stays too, because they act through it. */
function lowerRules(table: Table | undefined, sets: readonly FoundSet[]): string[] {
  if (table === undefined) return [];
  const ours = new Set(sets.filter(({ odd }) => !odd).map(({ own }) => dropRule(own.name)));
  const mine = table.rules.filter((rule) => ours.has(rule));
  const foreign = mine.length < table.rules.length;
  return [...mine.map((rule) => `-D ${chain} ${rule}`), ...lower(table, foreign)];
}

/** A set that somebody's rule asks for stays: the kernel would not let it go. */
function destroySets(sets: readonly FoundSet[], tables: readonly Table[]): Step[] {
  const names = sets
    .filter(({ exists, odd }) => exists && !odd)
    .map(({ own }) => own.name)
    .filter((name) => !tables.some((table) => isAskedFor(name, table)));
  return restoreAll(names.map((name) => `destroy ${name}`));
}

function isAskedFor(set: string, table: Table): boolean {
  const foreign = table.rules.filter((rule) => rule !== dropRule(set));
  return [...table.others, ...foreign].some((rule) => rule.includes(`-set ${set} `));
}

function namesOf(sets: readonly FoundSet[], family: 4 | 6): string[] {
  return sets.filter(({ own }) => own.family === family).map(({ own }) => own.name);
}

/**
 * The kernel's part of `-m set` is tried with a set that is never there. iptables has no translations;
 * being told that the set is missing means that everything else is in place.
 */
const probed = 'ar-exec-hosts';
const setSupport: Extra = {
  steps: [{ kind: 'command', tool: 'ipset', args: ['list', '-n'] }],
  trouble: ([list]) => (list?.failure === undefined ? undefined : `ipset: ${complaint(list)}`),
  forgives: (trial) =>
    trial.failure === 'exit' && trial.stderr.includes(`Set ${probed} doesn't exist`),
};
