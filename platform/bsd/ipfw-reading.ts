/** What `ipfw` and `sysctl` answer, and what it means for a table and the two rules that ask for it. */
import type { Settings } from '../driver.ts';
import type { CommandStep, StepResult } from '../step.ts';
import { type AddressTarget, parseTarget } from '../target.ts';

type Family = 4 | 6;

/** The table, and the rules that deny what is in it. */
export interface Names {
  readonly table: string;
  readonly number: number;
  /** As they are written, and as `ipfw list` prints them behind their number. */
  readonly rules: readonly string[];
}

/** Kept with a rule, and listed with it (ipfw(8), "// comment-text"). */
const comment = '// ar-exec';

/** `ip` is any packet, of both families (ipfw(8), proto). */
export function namesOf(settings: Settings): Names {
  const table = settings['table'] ?? 'ar_exec';
  const rules = [`deny ip from table(${table}) to any`, `deny ip from any to table(${table})`];
  return {
    table,
    number: Number(settings['rule'] ?? 1),
    rules: rules.map((rule) => `${rule} ${comment}`),
  };
}

export const enabledNames = {
  4: 'net.inet.ip.fw.enable',
  6: 'net.inet6.ip6.fw.enable',
} as const;

export const askEnabled: readonly CommandStep[] = ([4, 6] as const).map((family) => {
  return { kind: 'command', tool: 'sysctl', args: ['-n', enabledNames[family]] };
});

export const askRules: CommandStep = { kind: 'command', tool: 'ipfw', args: ['list'] };

export function askInfo({ table }: Names): CommandStep {
  return { kind: 'command', tool: 'ipfw', args: ['table', table, 'info'] };
}

export function askEntries({ table }: Names): CommandStep {
  return { kind: 'command', tool: 'ipfw', args: ['table', table, 'list'] };
}

/** An answer that was understood, or why it was not. */
export type Understood<Value> = { readonly value: Value } | { readonly why: string };

/** Whether ipfw looks at packets of a family; a kernel without IPv6 knows no such name. */
export function readEnabled(
  result: StepResult | undefined,
  family: Family,
): Understood<'on' | 'off' | 'unknown to the kernel'> {
  const text = result?.stdout.trim();
  if (result?.failure === undefined && (text === '1' || text === '0')) {
    return { value: text === '1' ? 'on' : 'off' };
  }
  if (result?.failure === 'exit' && result.stderr.includes('unknown oid')) {
    return { value: 'unknown to the kernel' };
  }
  return { why: `sysctl ${enabledNames[family]}: ${complaint(result)}` };
}

export interface Rule {
  readonly number: number;
  readonly text: string;
}

/** The rules in the order in which packets meet them. The last one is always there. */
export function readRules(result: StepResult | undefined): Understood<readonly Rule[]> {
  if (result === undefined || result.failure !== undefined) {
    return { why: `ipfw list: ${complaint(result)}` };
  }
  const rules: Rule[] = [];
  for (const line of result.stdout.trimEnd().split('\n')) {
    const [, number, text] = /^(\d{5}) (.+)$/.exec(line) ?? [];
    if (number === undefined || text === undefined) {
      return { why: `ipfw list: ${JSON.stringify(line)} is not understood` };
    }
    rules.push({ number: Number(number), text: text.trimEnd() });
  }
  return rules.at(-1)?.number === 65_535
    ? { value: rules }
    : { why: 'ipfw list: the last rule is missing' };
}

export interface TableInfo {
  readonly type: string;
  readonly locked: boolean;
  readonly items: number;
}

/** Undefined: there is no such table. */
export function readInfo(
  names: Names,
  result: StepResult | undefined,
): Understood<TableInfo | undefined> {
  if (isAbsent(result)) return { value: undefined };
  const why = `ipfw table ${names.table} info`;
  if (result === undefined || result.failure !== undefined) {
    return { why: `${why}: ${complaint(result)}` };
  }
  const [, type, locked] = /^ kindex: \d+, type: ([^,\n]+)(, locked)?$/m.exec(result.stdout) ?? [];
  const [, items] = /^ items: (\d+), /m.exec(result.stdout) ?? [];
  if (type === undefined || items === undefined) return { why: `${why} is not understood` };
  return { value: { type, locked: locked !== undefined, items: Number(items) } };
}

/** What is in the table. An empty one prints nothing, so they are counted. */
export function readEntries(
  { table }: Names,
  info: TableInfo | undefined,
  result: StepResult | undefined,
): Understood<readonly AddressTarget[]> {
  if (info === undefined && isAbsent(result)) return { value: [] };
  const why = `ipfw table ${table} list`;
  if (result === undefined || result.failure !== undefined) {
    return { why: `${why}: ${complaint(result)}` };
  }
  const lines = result.stdout.split('\n').filter((line) => line !== '');
  if (lines.length !== info?.items) return { why: `${why}: it changed while it was read` };
  const found: AddressTarget[] = [];
  for (const line of lines) {
    const [, address] = /^(\S+\/\d+) \S+$/.exec(line) ?? [];
    const target = address === undefined ? undefined : parseTarget(address);
    if (address === undefined || target === undefined) {
      return { why: `${why}: ${JSON.stringify(line)} is not understood` };
    }
    // An IPv4 address that is written as IPv6 matches no packet, and is none of ours.
    if (target.family === (address.includes(':') ? 6 : 4)) found.push(target);
  }
  return { value: found };
}

/** Those of our two rules that stand, whatever else is there. */
export function standingRules({ number, rules }: Names, all: readonly Rule[]): string[] {
  return rules.filter((text) => all.some((rule) => rule.number === number && rule.text === text));
}

/** What packets meet before they have met both of our rules, where these are or would come to be. */
export function rulesInFront(names: Names, all: readonly Rule[]): readonly Rule[] {
  const areWhole = standingRules(names, all).length === names.rules.length;
  const end = areWhole
    ? all.findLastIndex((rule) => isOurs(names, rule))
    : all.findIndex(({ number }) => number > names.number);
  return all.slice(0, end).filter((rule) => !isOurs(names, rule));
}

export function isOurs({ number, rules }: Names, rule: Rule): boolean {
  return rule.number === number && rules.includes(rule.text);
}

/** A rule that lets everything pass: nothing behind it is ever met. */
export function letsAllPass({ text }: Rule): boolean {
  return /^allow ip from any to any( \/\/.*)?$/.test(text);
}

/** A rule that may let packets pass. What these others do, blocked packets are not spared by. */
export function mayLetPass({ text }: Rule): boolean {
  return !/^(count|deny|reject|reset6?|unreach6?|divert|tee|setfib|setdscp|tcp-setmss|\/\/)\b/.test(
    text,
  );
}

function isAbsent(result: StepResult | undefined): boolean {
  return result?.failure === 'exit' && result.stderr.includes('No such process');
}

export function complaint(result: StepResult | undefined): string {
  return result?.stderr.trim() || result?.failure || 'no answer that is understood';
}
