/**
 * Blocks with a table of ipfw, and two rules that deny what comes from it and what goes to it. They
 * stand in front: behind a `check-state` or an `allow` they would spare connections that stand, or
 * everything. The table is ours; whatever is in it is.
 */
import type {
  Driver,
  DriverKind,
  Effect,
  Finding,
  Reading,
  Settings,
  Usability,
} from '../driver.ts';
import type { CommandStep, Step, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import {
  askEnabled,
  askEntries,
  askInfo,
  askRules,
  complaint,
  enabledNames,
  isOurs,
  letsAllPass,
  mayLetPass,
  type Names,
  namesOf,
  type Rule,
  readEnabled,
  readEntries,
  readInfo,
  readRules,
  rulesInFront,
  standingRules,
} from './ipfw-reading.ts';

type Family = 4 | 6;

export const ipfw: DriverKind<AddressTarget> = {
  name: 'ipfw',
  defaults: { table: 'ar_exec', rule: '1' },
  about: {
    systems: ['FreeBSD'],
    add: '`ipfw`: puts it into a table that two rules deny',
    remove: '`ipfw`: takes it out of the table',
    options: ['ipfw/table', 'ipfw/rule'],
  },
  make,
};

/**
 * One process takes them all as arguments, at most 46 characters each: nothing is read half when an
 * agent is killed. They go to the kernel as one request of up to 16 MB (ip_fw_sockopt.c, CTL3_LARGEBUF),
 * which goes on to the next when one is there already, or gone (ip_fw_table.c, add_table_entry).
 */
const batchSize = 500;

function make(settings: Settings): Driver<AddressTarget> {
  const names = namesOf(settings);
  return {
    name: 'ipfw',
    settings,
    traits: { selfExpiring: false, prefixes: true, batchSize },
    probe: {
      steps: [...askEnabled, askRules, askInfo(names)],
      read: (results) => readProbe(names, results),
    },
    inspect: {
      steps: [...askEnabled, askRules, askInfo(names), askEntries(names)],
      read: (results) => readTable(names, results),
    },
    hindrance: () => ({ steps: askEnabled, read: whyOff }),
    container: ({ family }) => containerOf(names, family),
    apply: (effects) => [checkRule(names), change(names, effects, 'add')],
    revert: (effects) => [change(names, effects, 'delete')],
    diagnose: {
      steps: [...askEnabled, askRules],
      read: (results) => diagnose(names, results),
    },
  };
}

/** ipfw can be turned off for one family, and then what is in the table acts for the other only. */
function containerOf({ table }: Names, family: Family): string {
  return `${table} for IPv${family}`;
}

/** An entry that no rule asks for blocks nobody, and somebody may have flushed the rules. */
function checkRule({ number }: Names): CommandStep {
  return { kind: 'command', tool: 'ipfw', args: ['list', String(number)] };
}

/**
 * Keys and values for `add`, keys alone for `delete`. With -q, what is there already and what is gone
 * are successes.
 */
function change(
  { table }: Names,
  effects: readonly Effect<AddressTarget>[],
  verb: 'add' | 'delete',
): CommandStep {
  const keys = effects.flatMap(({ target }) =>
    verb === 'add' ? [target.text, '0'] : [target.text],
  );
  return { kind: 'command', tool: 'ipfw', args: ['-q', 'table', table, verb, ...keys] };
}

function readProbe(names: Names, results: readonly StepResult[]): Usability {
  const [enabled4, enabled6, list, table] = results;
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  if (list === undefined || list.failure === 'missing') return unusable('ipfw is not installed');
  const [on4, on6] = [readEnabled(enabled4, 4), readEnabled(enabled6, 6)];
  if ('why' in on4) return unusable(on4.why);
  if ('why' in on6) return unusable(on6.why);
  if (on4.value === 'unknown to the kernel') return unusable('the kernel has no ipfw loaded');
  const families: Family[] = [];
  if (on4.value === 'on') families.push(4);
  if (on6.value === 'on') families.push(6);
  if (families.length === 0) return unusable(isOff(4));
  const rules = readRules(list);
  if ('why' in rules) return unusable(rules.why);
  const info = readInfo(names, table);
  if ('why' in info) return unusable(info.why);
  if (info.value !== undefined && info.value.type !== 'addr') {
    return unusable(`table ${names.table} is of type ${info.value.type}`);
  }
  if (info.value?.locked === true) return unusable(`table ${names.table} is locked`);
  const trouble = whyNeverMet(names, rules.value);
  if (trouble !== undefined) return unusable(trouble);
  const why = `table ${names.table}, rules ${names.number}`;
  if (families.length === 2) return { usable: true, why, families };
  return { usable: true, why: `${why}; ${isOff(families[0] === 4 ? 6 : 4)}`, families };
}

/** That it is off for one family only is seen when the containers are looked at. */
function whyOff(results: readonly StepResult[]): string | undefined {
  const enabled = ([4, 6] as const).map((family, index) => readEnabled(results[index], family));
  for (const one of enabled) {
    if ('why' in one) return one.why;
    if (one.value === 'on') return undefined;
  }
  return isOff(4);
}

function isOff(family: Family): string {
  const whom = family === 6 ? ' for IPv6' : '';
  return `not enforced${whom}: ipfw is turned off (${enabledNames[family]} is not 1)`;
}

function whyNeverMet(names: Names, rules: readonly Rule[]): string | undefined {
  const rule = rulesInFront(names, rules).find(letsAllPass);
  if (rule === undefined) return undefined;
  return `not enforced: rule ${shown(rule)} lets everything pass before rule ${names.number}`;
}

function readTable(names: Names, results: readonly StepResult[]): Reading<AddressTarget> {
  const [enabled4, enabled6, list, table, entries] = results;
  const unknown = (why: string): Reading<AddressTarget> => ({ known: false, why });
  const [on4, on6] = [readEnabled(enabled4, 4), readEnabled(enabled6, 6)];
  if ('why' in on4) return unknown(on4.why);
  if ('why' in on6) return unknown(on6.why);
  const rules = readRules(list);
  if ('why' in rules) return unknown(rules.why);
  const info = readInfo(names, table);
  if ('why' in info) return unknown(info.why);
  const found = readEntries(names, info.value, entries);
  if ('why' in found) return unknown(found.why);

  const hidden = whyNeverMet(names, rules.value);
  const acting: Family[] = [];
  if (hidden === undefined && on4.value === 'on') acting.push(4);
  if (hidden === undefined && on6.value === 'on') acting.push(6);
  const off = ([4, 6] as const).filter((family) => !acting.includes(family));
  const standing = standingRules(names, rules.value);
  const isWhole = info.value !== undefined && standing.length === names.rules.length;
  const idle = off.find(
    (family) => acting.length === 0 || found.value.some((target) => target.family === family),
  );
  const trouble = hidden ?? (idle === undefined ? undefined : isOff(idle));
  return {
    known: true,
    containers: isWhole ? acting.map((family) => containerOf(names, family)) : [],
    effects: found.value.map((target) => ({ target })),
    foreign: [],
    ...(trouble === undefined ? {} : { trouble }),
    setup: (containers) =>
      acting.some((family) => containers.includes(containerOf(names, family)))
        ? raise(names, info.value !== undefined, standing)
        : [],
    teardown: () => lower(names, info.value !== undefined, rules.value),
  };
}

/**
 * The table first: a rule makes one that is missing, too. Rules of the same number stand in the order
 * in which they came, so that each of ours can be put back alone.
 */
function raise(names: Names, hasTable: boolean, standing: readonly string[]): Step[] {
  const create = ['table', names.table, 'create', 'type', 'addr', 'missing'];
  const lacking = names.rules.filter((rule) => !standing.includes(rule));
  return [
    ...(hasTable ? [] : [create]),
    ...lacking.map((rule) => ['-q', 'add', String(names.number), ...rule.split(' ')]),
  ].map((args) => ({ kind: 'command', tool: 'ipfw', args }));
}

/**
 * `delete` takes every rule of a number. If somebody else has one there, ours stay, and do nothing
 * without entries. A table that others ask for stays, too.
 */
function lower(names: Names, hasTable: boolean, rules: readonly Rule[]): Step[] {
  const ours = rules.filter((rule) => isOurs(names, rule));
  const others = rules.filter((rule) => !isOurs(names, rule));
  const isShared = others.some(({ number }) => number === names.number);
  if (ours.length > 0 && isShared) return [];
  const isUsed = others.some(({ text }) => text.includes(`table(${names.table}`));
  return [
    ...(ours.length > 0 ? [['-q', 'delete', String(names.number)]] : []),
    ...(hasTable && !isUsed ? [['-q', 'table', names.table, 'destroy']] : []),
  ].map((args) => ({ kind: 'command', tool: 'ipfw', args }));
}

function diagnose(names: Names, results: readonly StepResult[]): Finding[] {
  const [enabled4, enabled6, list] = results;
  const rules = readRules(list);
  const findings = ([4, 6] as const).flatMap((family): Finding[] => {
    const enabled = readEnabled(family === 4 ? enabled4 : enabled6, family);
    if (!('value' in enabled) || enabled.value !== 'off') return [];
    return [
      {
        id: 'ipfw-off-for-family',
        level: 'warning',
        what: `ipfw does not look at IPv${family} packets.`,
        why: `Blocks of IPv${family} addresses would do nothing, so ar-exec does not make them with ipfw.`,
        remedy: `sysctl ${enabledNames[family]}=1`,
      },
    ];
  });
  if ('why' in rules) {
    return [...findings, { id: 'ipfw-unread', level: 'problem', what: `${complaint(list)}.` }];
  }
  const passing = rulesInFront(names, rules.value).filter(mayLetPass);
  if (passing.length === 0) return findings;
  return [
    ...findings,
    {
      id: 'ipfw-rules-in-front',
      level: 'warning',
      what: `Packets can pass by ${passing.length === 1 ? 'a rule' : 'rules'} of ipfw before those of ar-exec: ${shownAll(passing)}.`,
      why: `The rules of ar-exec have the number ${names.number}. What a rule in front of them allows is not blocked, and a check-state in front of them spares connections that stand.`,
      remedy: 'Give ar-exec a lower number with <rule> in <ipfw>, or your rules higher ones.',
    },
  ];
}

function shownAll(rules: readonly Rule[]): string {
  const [first, second, ...rest] = rules.map(shown);
  const more = rest.length === 0 ? [] : [`and ${rest.length} more`];
  return [first, second, ...more].filter((one) => one !== undefined).join(', ');
}

function shown({ number, text }: Rule): string {
  return `"${String(number).padStart(5, '0')} ${text}"`;
}
