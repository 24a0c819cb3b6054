/** Plans how addresses get into our rules and out of them, from the rules that stand. */
import type { Effect } from '../driver.ts';
import type { CommandStep, Step } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import { directions } from './firewall-rules.ts';
import {
  addRule,
  deleteRules,
  inOneProcess,
  type NetshCommand,
  oneByOne,
  setAddresses,
} from './netsh-commands.ts';
import {
  effectsIn,
  mostSlots,
  roomOfSlot,
  type Slot,
  slotName,
  slotNumber,
} from './netsh-slots.ts';

/** With so few commands each is a process, whose status says at once whether it was done. */
const fewCommands = 2;

/** Every change leaves each address blocked that is to stay: what is new comes before what goes. */
export function planApply(
  prefix: string,
  slots: readonly Slot[],
  effects: readonly Effect<AddressTarget>[],
): Step[] {
  const standing = new Set(
    effectsIn(slots).flatMap(({ target, partial }) => (partial === true ? [] : [target.text])),
  );
  const wanted = new Map(
    effects
      .filter(({ target }) => !standing.has(target.text))
      .map(({ target }) => [target.text, target]),
  );
  const naming = slots.filter((slot) => [...wanted.keys()].some((text) => slot.named.has(text)));
  const broken = slots.filter((slot) => slot.strange || (!slot.sound && naming.includes(slot)));
  if (wanted.size === 0 && broken.length === 0) return [];
  const name = namer(prefix, slots);
  if (broken.length > 0) {
    const kept = broken.flatMap((slot) => [...blockedBy(slot)]);
    const content = new Map([...kept, ...wanted]);
    return oneByOne([
      ...chunks([...content.values()]).flatMap((targets) => made(name(), targets)),
      ...broken.map((slot) => deleteRules(slot.name)),
    ]);
  }
  const fresh = [...wanted.values()];
  const slot = roomFor(fresh.length, slots);
  return slot === undefined
    ? together(chunks(fresh).flatMap((targets) => made(name(), targets)))
    : oneByOne(rewritten(slot, [...slot.named.values(), ...fresh]));
}

/** Rules that would be empty are deleted; all others keep what is to stay. */
export function planRevert(
  prefix: string,
  slots: readonly Slot[],
  effects: readonly Effect<AddressTarget>[],
): Step[] {
  const gone = new Set(effects.map(({ target }) => target.text));
  const name = namer(prefix, slots);
  const emptied: NetshCommand[] = [];
  const others: NetshCommand[] = [];
  for (const slot of slots) {
    if (!slot.strange && ![...slot.named.keys()].some((text) => gone.has(text))) continue;
    const staying = [...blockedBy(slot)].flatMap(([text, target]) =>
      gone.has(text) ? [] : [target],
    );
    if (staying.length === 0) emptied.push(deleteRules(slot.name));
    else if (slot.sound) others.push(...rewritten(slot, staying));
    else {
      others.push(...chunks(staying).flatMap((targets) => made(name(), targets)));
      others.push(deleteRules(slot.name));
    }
  }
  return [...together(emptied), ...oneByOne(others)];
}

/** Takes away whatever has a name of ours. */
export function planTeardown(slots: readonly Slot[]): Step[] {
  return together(slots.map(({ name }) => deleteRules(name)));
}

function made(name: string, targets: readonly AddressTarget[]): NetshCommand[] {
  return directions.map((direction) => addRule(name, direction, targets));
}

function rewritten({ name }: Slot, targets: readonly AddressTarget[]): NetshCommand[] {
  return directions.map((direction) => setAddresses(name, direction, targets));
}

function together(commands: readonly NetshCommand[]): CommandStep[] {
  return commands.length <= fewCommands ? oneByOne(commands) : [inOneProcess(commands)];
}

/** The addresses that a slot blocks, in either direction. */
function blockedBy({ named, acting }: Slot): ReadonlyMap<string, AddressTarget> {
  return new Map([...named].filter(([text]) => acting.in.has(text) || acting.out.has(text)));
}

/** The fullest that has room: there are to be few rules. */
function roomFor(count: number, slots: readonly Slot[]): Slot | undefined {
  return slots
    .filter(({ sound, named }) => sound && named.size + count <= roomOfSlot)
    .sort((one, other) => other.named.size - one.named.size)[0];
}

function chunks(targets: readonly AddressTarget[]): AddressTarget[][] {
  const count = Math.ceil(targets.length / roomOfSlot);
  return Array.from({ length: count }, (_, index) =>
    targets.slice(index * roomOfSlot, (index + 1) * roomOfSlot),
  );
}

/**
 * Names that no rule has. The next ones rather than the first free ones: a command that an agent left
 * behind when it was killed must not meet a rule that is new.
 */
function namer(prefix: string, slots: readonly Slot[]): () => string {
  const taken = new Set(slots.map(({ name }) => slotNumber(prefix, name)));
  let number = Math.max(0, ...[...taken].map((one) => one ?? 0));
  return () => {
    do number = (number % mostSlots) + 1;
    while (taken.has(number) && taken.size < mostSlots);
    taken.add(number);
    return slotName(prefix, number);
  };
}
