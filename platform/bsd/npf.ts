/**
 * Blocks with a table of npf. Neither a table nor a rule can be made while npf runs: they have to be in
 * npf.conf, and nothing but entries of the table is made or taken away here.
 *
 * Nothing tells an entry of ours from somebody else's, so that each address is looked for before.
 */
import type {
  Driver,
  DriverKind,
  Effect,
  Examined,
  Finding,
  Reading,
  Settings,
  Usability,
} from '../driver.ts';
import type { CommandStep, StepResult } from '../step.ts';
import { type AddressTarget, addressRange } from '../target.ts';
import {
  askEntries,
  askShow,
  complaint,
  type Enforcement,
  enforcementOf,
  isPartial,
  readEntries,
  readShow,
  type Shown,
} from './npf-reading.ts';

export const npf: DriverKind<AddressTarget> = {
  name: 'npf',
  /** `type` is settled by how the table was made. */
  defaults: { table: 'ar_exec', type: '' },
  about: {
    systems: ['NetBSD'],
    add: '`npfctl`: puts it into a table of yours, which a rule of npf.conf blocks',
    remove: '`npfctl`: takes it out of the table',
    options: ['npf/table'],
  },
  make,
};

/**
 * npfctl takes one address at a time; `replace` would take what others put in. So a batch is as many
 * processes, and is small.
 */
const batchSize = 32;

function make(settings: Settings): Driver<AddressTarget> {
  const table = settings['table'] ?? 'ar_exec';
  const asks = [askShow, askEntries(table), askEntries(table)];
  return {
    name: 'npf',
    settings,
    traits: {
      selfExpiring: false,
      // A table of type ipset holds addresses only.
      prefixes: settings['type'] === 'lpm',
      batchSize,
      unmarked: true,
      // `rem` of an address takes out the prefix that contains it, if the address itself is not there.
      sharesPlace: true,
      leavesFlows: true,
    },
    probe: {
      steps: [askShow, askEntries(table)],
      read: (results) => readProbe(settings, table, results),
    },
    inspect: { steps: asks, read: (results) => readTable(table, results) },
    examine: (target) => ({
      steps: asks.slice(1),
      read: (results) => readTarget(table, target, results),
    }),
    hindrance: () => ({
      steps: [askShow],
      read: ([show]) => {
        const shown = readShow(show);
        return typeof shown === 'string' ? shown : whyUnenforced(table, shown);
      },
    }),
    container: () => undefined,
    apply: (effects) =>
      change(
        table,
        'add',
        effects.filter(({ standing }) => standing !== true),
      ),
    revert: (effects) => change(table, 'rem', effects),
    diagnose: { steps: [askShow], read: (results) => diagnose(table, results) },
  };
}

function change(
  table: string,
  verb: 'add' | 'rem',
  effects: readonly Effect<AddressTarget>[],
): CommandStep[] {
  return effects.map(({ target }) => {
    return { kind: 'command', tool: 'npfctl', args: ['table', table, verb, target.text] };
  });
}

function readProbe(
  settings: Settings,
  table: string,
  [show, list]: readonly StepResult[],
): Usability {
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  if (show === undefined || show.failure === 'missing') return unusable('npfctl is not installed');
  const shown = readShow(show);
  if (typeof shown === 'string') return unusable(shown);
  const trouble = whyUnenforced(table, shown);
  if (trouble !== undefined) return unusable(trouble);
  if (list === undefined || list.failure !== undefined) {
    return unusable(`npfctl table ${table} list: ${complaint(list)}`);
  }
  const type = shown.tables.get(table) ?? '';
  const { families } = enforcementOf(shown, table);
  return {
    usable: true,
    why: `table <${table}> of type ${type}`,
    families,
    settled: { ...settings, type },
  };
}

/** Why nothing of what is in the table would be blocked, and what is missing in npf.conf. */
function whyUnenforced(table: string, shown: Shown): string | undefined {
  if (!shown.active) return 'not enforced: npf is not active';
  const type = shown.tables.get(table);
  if (type === undefined) {
    return `there is no table <${table}>; npf.conf needs "table <${table}> type lpm"`;
  }
  if (type === 'const') return `table <${table}> is constant: nothing can be added to it`;
  const { why } = enforcementOf(shown, table);
  if (why === undefined) return undefined;
  return `not enforced: ${why}; npf.conf needs "${ruleFor(table)}" as the first rule of its groups`;
}

function ruleFor(table: string): string {
  return `block in final from <${table}>`;
}

function readTable(table: string, [show, ...lists]: readonly StepResult[]): Reading<AddressTarget> {
  const shown = readShow(show);
  if (typeof shown === 'string') return { known: false, why: shown };
  // Whoever took the table away took away what was in it.
  const found = shown.tables.has(table) ? readEntries(table, lists) : [];
  if (typeof found === 'string') return { known: false, why: found };
  const trouble = whyUnenforced(table, shown);
  return {
    known: true,
    containers: [],
    effects: found.map((target) => ({ target })),
    foreign: [],
    isCovered: (target) => found.some((one) => contains(one, target)),
    ...(trouble === undefined ? {} : { trouble }),
    setup: () => [],
    teardown: () => [],
  };
}

/** A table of type lpm refuses an address within a prefix that it has, as a duplicate. */
function readTarget(
  table: string,
  target: AddressTarget,
  results: readonly StepResult[],
): Examined {
  const found = readEntries(table, results);
  if (typeof found === 'string') return { fit: 'unknown', why: found };
  return { fit: true, memory: {}, preExisting: found.some((one) => contains(one, target)) };
}

function contains(one: AddressTarget, other: AddressTarget): boolean {
  if (one.family !== other.family) return false;
  const [wide, narrow] = [addressRange(one), addressRange(other)];
  return wide.first <= narrow.first && narrow.last <= wide.last;
}

function diagnose(table: string, [show]: readonly StepResult[]): Finding[] {
  const shown = readShow(show);
  if (typeof shown === 'string') {
    return [{ id: 'npf-unread', level: 'problem', what: `${shown}.` }];
  }
  const trouble = whyUnenforced(table, shown);
  if (trouble !== undefined)
    return [{ id: 'npf-not-enforced', level: 'problem', what: `${trouble}.` }];
  return remarksOn(table, enforcementOf(shown, table));
}

function remarksOn(table: string, { rules, before, bothWays }: Enforcement): Finding[] {
  const findings: Finding[] = [];
  if (rules.every(isPartial)) {
    findings.push({
      id: 'npf-partial-rule',
      level: 'warning',
      what: `Only a part of what comes from table <${table}> is blocked: ${quoted(rules)}.`,
      why: 'The rules that ask for the table say more than where packets come from.',
      remedy: `Put "${ruleFor(table)}" first into the groups of npf.conf, then run "npfctl reload".`,
    });
  }
  if (before.length > 0) {
    findings.push({
      id: 'npf-rules-in-front',
      level: 'warning',
      what: `Packets from table <${table}> can pass by rules in front of the one that blocks it: ${quoted(before)}.`,
      why: 'A rule with "final" that matches a packet is the last that it meets.',
      remedy: `Put "${ruleFor(table)}" before them, then run "npfctl reload".`,
    });
  }
  if (!bothWays) {
    findings.push({
      id: 'npf-one-way',
      level: 'note',
      what: `Packets that go to what is in table <${table}> are not blocked.`,
      why: 'This machine can still connect to a blocked address, and the answers come in where a rule is stateful.',
      remedy: `Put "block out final to <${table}>" first into the groups of npf.conf, then run "npfctl reload".`,
    });
  }
  return findings;
}

function quoted(rules: readonly string[]): string {
  return rules.map((rule) => `"${rule}"`).join(', ');
}
