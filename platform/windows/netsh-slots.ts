/**
 * Which of our rules holds which address. Two rules of the same name, one for each direction, carry up
 * to some hundred addresses each: a slot.
 */
import type { FoundEffect } from '../driver.ts';
import type { AddressTarget } from '../target.ts';
import { type Direction, directions, parseRule, type Rule } from './firewall-rules.ts';
import { firewallKey } from './firewall-state.ts';
import { keyAt, type RegistryKey } from './registry.ts';

/**
 * How many addresses a rule carries at most. Windows takes 1,000; each change writes all of a rule's
 * anew, and 200 fit into a command line (32,767 characters, CreateProcess) four times over.
 */
export const roomOfSlot = 200;

export interface Slot {
  readonly name: string;
  /** All that its rules name, by text. */
  readonly named: ReadonlyMap<string, AddressTarget>;
  /** What is blocked by it, by direction. */
  readonly acting: Readonly<Record<Direction, ReadonlySet<string>>>;
  /** Two rules as we make them, with the same addresses. */
  readonly sound: boolean;
  /** One of its rules names no address, or such as we never name. */
  readonly strange: boolean;
}

/** `ar-exec-0001`: one name must never be the beginning of another; a command can be cut short. */
export function slotName(prefix: string, number: number): string {
  return `${prefix}-${String(number).padStart(4, '0')}`;
}

export const mostSlots = 9_999;

/** The number in a name of ours; undefined for the names of others. */
export function slotNumber(prefix: string, name: string): number | undefined {
  const digits = name.startsWith(`${prefix}-`) ? name.slice(prefix.length + 1) : '';
  return /^\d{4}$/.test(digits) ? Number(digits) : undefined;
}

/** Our slots among all rules of the machine. */
export function readSlots(prefix: string, keys: readonly RegistryKey[]): Slot[] {
  const values = keyAt(keys, firewallKey, 'FirewallRules')?.values ?? [];
  const byName = new Map<string, Rule[]>();
  for (const { type, data } of values) {
    // There can be a thousand others, and most of them are long.
    if (type !== 'REG_SZ' || !data.includes(`|Name=${prefix}-`)) continue;
    const rule = parseRule(data);
    if (rule === undefined || slotNumber(prefix, rule.name) === undefined) continue;
    byName.set(rule.name, [...(byName.get(rule.name) ?? []), rule]);
  }
  return [...byName]
    .map(([name, rules]) => slotOf(name, rules))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

function slotOf(name: string, rules: readonly Rule[]): Slot {
  const of = (direction: Direction): Set<string> =>
    new Set(
      rules
        .filter((rule) => rule.acts && rule.direction === direction)
        .flatMap(({ targets }) => targets.map(({ text }) => text)),
    );
  const acting = { in: of('in'), out: of('out') };
  const strange = rules.some((rule) => rule.strange);
  const [one, other] = rules;
  const sound =
    !strange &&
    rules.length === 2 &&
    rules.every(({ acts }) => acts) &&
    one?.direction !== other?.direction &&
    acting.in.symmetricDifference(acting.out).size === 0;
  const named = new Map(rules.flatMap(({ targets }) => targets.map((one) => [one.text, one])));
  return { name, named, acting, sound, strange };
}

/** What stands, each address once: whole if it is blocked in both directions, by whatever slots. */
export function effectsIn(slots: readonly Slot[]): FoundEffect<AddressTarget>[] {
  const named = new Map(slots.flatMap((slot) => [...slot.named]));
  const [incoming, outgoing] = directions.map(
    (direction) => new Set(slots.flatMap(({ acting }) => [...acting[direction]])),
  );
  return [...named.values()].map((target) => {
    const whole = incoming?.has(target.text) === true && outgoing?.has(target.text) === true;
    return whole ? { target } : { target, partial: true };
  });
}
