import type { FoundEffect } from '../driver.ts';
import { parsePrinted } from '../printed.ts';
import type { CommandStep, StepResult } from '../step.ts';
import { type AddressTarget, isHost } from '../target.ts';
import { complaint, type Family, families } from './xtables.ts';

export interface OwnSet {
  readonly name: string;
  readonly family: Family;
  readonly type: 'hash:ip' | 'hash:net';
}

export interface FoundSet {
  readonly own: OwnSet;
  readonly exists: boolean;
  /** It is of the kind we would make, so that effects can stand in it. */
  readonly fits: boolean;
  readonly effects: readonly FoundEffect<AddressTarget>[];
  /** Somebody put entries into it that we would not have written. */
  readonly odd: boolean;
}

export type Sets =
  | { readonly known: false; readonly why: string }
  | { readonly known: true; readonly sets: readonly FoundSet[] };

export const ownSets: readonly OwnSet[] = families.flatMap((family) => [
  { name: `ar-exec-hosts${family}`, family, type: 'hash:ip' } as const,
  { name: `ar-exec-nets${family}`, family, type: 'hash:net' } as const,
]);

/** The name of the set that a target lives in. */
export function setOf(target: AddressTarget): string {
  return `ar-exec-${isHost(target) ? 'hosts' : 'nets'}${target.family}`;
}

/**
 * Asks for the names of all sets and for the content of ours; `readSets` understands the answers.
 * ipset ends with status 1 for a set that is not there and for every other trouble alike, and words
 * are no ground to tell them apart. So the list of names decides.
 */
export const askSets: readonly CommandStep[] = [
  { kind: 'command', tool: 'ipset', args: ['list', '-n'] },
  ...ownSets.map(({ name }) => ({ kind: 'command', tool: 'ipset', args: ['save', name] }) as const),
];

export function readSets(results: readonly StepResult[]): Sets {
  const [list, ...contents] = results;
  if (list === undefined || list.failure !== undefined) {
    return { known: false, why: `ipset: ${complaint(list)}` };
  }
  const names = new Set(list.stdout.split('\n'));
  const sets: FoundSet[] = [];
  for (const [index, own] of ownSets.entries()) {
    const content = contents[index];
    const set = readSet(own, content, names.has(own.name));
    if (set === undefined) return { known: false, why: `ipset ${own.name}: ${complaint(content)}` };
    sets.push(set);
  }
  return { known: true, sets };
}

/** `undefined` when nobody can say what is in it. */
function readSet(
  own: OwnSet,
  result: StepResult | undefined,
  listed: boolean,
): FoundSet | undefined {
  if (result === undefined) return undefined;
  const [create = '', ...adds] = result.stdout.split('\n').filter((line) => line !== '');
  if (result.failure !== undefined || !create.startsWith(`create ${own.name} `)) {
    const absent = !listed && result.failure === 'exit';
    return absent ? { own, exists: false, fits: false, effects: [], odd: false } : undefined;
  }
  const found = adds.map((line) => readEntry(own, line));
  const effects = found.filter((effect) => effect !== undefined);
  const kind = `create ${own.name} ${own.type} family inet${own.family === 6 ? '6' : ''} `;
  const fits = create.startsWith(kind) && create.includes(' timeout ');
  return { own, exists: true, fits, effects, odd: effects.length < found.length };
}

function readEntry(own: OwnSet, line: string): FoundEffect<AddressTarget> | undefined {
  const [, name, text = '', seconds = '0'] =
    /^add (\S+) (\S+)(?: timeout (\d+))?$/.exec(line.trim()) ?? [];
  const target = parsePrinted(text);
  if (name !== own.name || target === undefined || setOf(target) !== name) return undefined;
  return seconds === '0' ? { target } : { target, expiresInMs: Number(seconds) * 1_000 };
}
