/** What `npfctl show` and `npfctl table … list` answer, and whether a rule blocks what is in a table. */
import type { CommandStep, StepResult } from '../step.ts';
import { type AddressTarget, parseTarget } from '../target.ts';

type Family = 4 | 6;

export const askShow: CommandStep = { kind: 'command', tool: 'npfctl', args: ['show'] };

export function askEntries(table: string): CommandStep {
  return { kind: 'command', tool: 'npfctl', args: ['table', table, 'list'] };
}

/** The running configuration, as far as it matters here. */
export interface Shown {
  readonly active: boolean;
  /** The type of each table: `ipset`, `lpm` or `const`. */
  readonly tables: ReadonlyMap<string, string>;
  /** The rules of each group, in their order. A packet meets one group only. */
  readonly groups: readonly (readonly string[])[];
}

/** The configuration, or why it is not understood. */
export function readShow(result: StepResult | undefined): Shown | string {
  if (result === undefined || result.failure !== undefined) {
    return `npfctl show: ${complaint(result)}`;
  }
  const tables = new Map<string, string>();
  const groups: string[][] = [];
  let state: string | undefined;
  for (const line of result.stdout.split('\n')) {
    // Up to NetBSD 8 without the "#".
    state ??= /^#?\s*filtering:\s*(active|inactive)\s*$/i.exec(line)?.[1];
    const [, table, type] = /^table <([^>]+)> type (\S+)/.exec(line) ?? [];
    if (table !== undefined && type !== undefined) tables.set(table, type);
    // Each rule ends with its id, in hexadecimal (npfctl/npf_show.c, npfctl_print_id).
    const rule = line.replace(/\s*# id="[0-9a-f]+"\s*$/, '').trim();
    if (/^group\b.*\{$/.test(rule)) groups.push([]);
    else if (/^("[^"]*" )?(block|pass)\b/.test(rule)) groups.at(-1)?.push(rule);
  }
  if (state === undefined) return 'npfctl show: it does not say whether npf is active';
  return { active: state.toLowerCase() === 'active', tables, groups };
}

/**
 * What is in a table, or why that is not understood. An empty table prints nothing, as a list does that
 * was cut short: it is read twice.
 */
export function readEntries(
  table: string,
  [first, second]: readonly (StepResult | undefined)[],
): readonly AddressTarget[] | string {
  const why = `npfctl table ${table} list`;
  for (const result of [first, second]) {
    if (result === undefined || result.failure !== undefined) return `${why}: ${complaint(result)}`;
  }
  const [lines = [], again = []] = [first, second].map((result) =>
    (result?.stdout ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .sort(),
  );
  if (lines.join() !== again.join()) return `${why}: it changed while it was read`;
  const found: AddressTarget[] = [];
  for (const line of lines) {
    const target = parseTarget(line);
    if (target === undefined) return `${why}: ${JSON.stringify(line)} is not understood`;
    found.push(target);
  }
  return found;
}

/** What the rules do to packets that come from a table. */
export interface Enforcement {
  /** Whose packets are blocked. */
  readonly families: readonly Family[];
  /** Why they are not, where no family is. */
  readonly why?: string;
  /** The rules that block them. */
  readonly rules: readonly string[];
  /** Rules in front of these that let some packets pass. */
  readonly before: readonly string[];
  /** Packets that go to the table are blocked as well. */
  readonly bothWays: boolean;
}

/**
 * A rule counts if it blocks what comes from the table, and nothing overrules it: in npf the last rule
 * that matches decides, unless one says `final` (npf.conf(5)).
 */
export function enforcementOf({ groups }: Shown, table: string): Enforcement {
  const rules: string[] = [];
  const before: string[] = [];
  const families = new Set<Family>();
  let overruled: string | undefined;
  for (const group of groups) {
    for (const [index, rule] of group.entries()) {
      if (!blocks(rule, 'from', table)) continue;
      const inFront = group.slice(0, index).filter((one) => isPass(one) && isFinal(one));
      const winner =
        inFront.find(isUnlimited) ?? (isFinal(rule) ? undefined : group.slice(index).find(isPass));
      if (winner !== undefined) {
        overruled ??= `"${winner}" wins over "${rule}"`;
        continue;
      }
      rules.push(rule);
      before.push(...inFront);
      for (const family of familiesOf(rule)) families.add(family);
    }
  }
  const bothWays = groups.some((group) => group.some((rule) => blocks(rule, 'to', table)));
  const why = overruled ?? `no rule blocks what comes from table <${table}>`;
  return {
    families: [...families].sort(),
    rules,
    before,
    bothWays,
    ...(rules.length === 0 ? { why } : {}),
  };
}

/** Whether the rule blocks more than a part of what comes from the table: a port, an interface. */
export function isPartial(rule: string): boolean {
  return !/^("[^"]*" )?block( return(-rst|-icmp)?)?( in)?( final)?( family inet[46])? from (<[^>]+>|\{[^}]*\})( apply "[^"]*")?$/.test(
    rule,
  );
}

function blocks(rule: string, direction: 'from' | 'to', table: string): boolean {
  const [, way, rest = ''] =
    /^(?:"[^"]*" )?block\b(?: return\S*)?( in| out)?\b(.*)$/.exec(rule) ?? [];
  if (rest === '' || way === (direction === 'from' ? ' out' : ' in')) return false;
  const [, named = ''] = new RegExp(` ${direction} (<[^>]+>|\\{[^}]*\\})`).exec(rest) ?? [];
  return named.includes(`<${table}>`);
}

/** A rule that lets incoming packets pass. */
function isPass(rule: string): boolean {
  return /^("[^"]*" )?pass\b/.test(rule) && !/^("[^"]*" )?pass( stateful(-all)?)? out\b/.test(rule);
}

function isFinal(rule: string): boolean {
  return /^[^<{]*\bfinal\b/.test(rule);
}

function isUnlimited(rule: string): boolean {
  return /^("[^"]*" )?pass( stateful(-all)?)?( in)? final all( apply "[^"]*")?$/.test(rule);
}

function familiesOf(rule: string): readonly Family[] {
  const [, family] = /\bfamily inet([46])\b/.exec(rule) ?? [];
  return family === undefined ? [4, 6] : [family === '4' ? 4 : 6];
}

export function complaint(result: StepResult | undefined): string {
  return result?.stderr.trim() || result?.failure || 'no answer';
}
