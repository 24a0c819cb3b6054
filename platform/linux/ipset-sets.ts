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
  /** It fits, and in every respect it is as we make it. */
  readonly asMade: boolean;
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

/** A set takes 65,536 entries unless told otherwise. It costs memory only as it fills. */
export const mostEntries = 1_048_576;

/** A family in the words of ipset. */
export function inet(family: Family): string {
  return family === 4 ? 'inet' : 'inet6';
}

/** The name of the set that a target lives in. */
export function setOf(target: AddressTarget): string {
  return `ar-exec-${isHost(target) ? 'hosts' : 'nets'}${target.family}`;
}

/**
 * Asks for the names of all sets. ipset ends with status 1 for a set that is not there and for every
 * other trouble alike, and words are no ground to tell them apart; so a set is asked for only if it
 * is listed.
 */
export const askNames: CommandStep = { kind: 'command', tool: 'ipset', args: ['list', '-n'] };

/** Asks for the content of those of our sets that are there; `readSets` understands the answers. */
export function askContents(names: StepResult | undefined): CommandStep[] {
  return listedIn(names).map(({ name }) => {
    return { kind: 'command', tool: 'ipset', args: ['save', name] };
  });
}

export function readSets(names: StepResult | undefined, contents: readonly StepResult[]): Sets {
  if (names === undefined || names.failure !== undefined) {
    return { known: false, why: `ipset: ${complaint(names)}` };
  }
  const listed = listedIn(names);
  const sets: FoundSet[] = [];
  for (const own of ownSets) {
    const index = listed.indexOf(own);
    const content = contents[index];
    const set = index === -1 ? absent(own) : readSet(own, content);
    if (set === undefined) return { known: false, why: `ipset ${own.name}: ${complaint(content)}` };
    sets.push(set);
  }
  return { known: true, sets };
}

function listedIn(names: StepResult | undefined): OwnSet[] {
  const listed = new Set(names?.failure === undefined ? names?.stdout.split('\n') : []);
  return ownSets.filter(({ name }) => listed.has(name));
}

function absent(own: OwnSet): FoundSet {
  return { own, exists: false, fits: false, asMade: false, effects: [], odd: false };
}

/** `undefined` when nobody can say what is in it. */
function readSet(own: OwnSet, result: StepResult | undefined): FoundSet | undefined {
  if (result === undefined || result.failure !== undefined) return undefined;
  const [create = '', ...adds] = result.stdout.split('\n').filter((line) => line !== '');
  if (!create.startsWith(`create ${own.name} `)) return undefined;
  const found = adds.map((line) => readEntry(own, line));
  const effects = found.filter((effect) => effect !== undefined);
  const kind = `create ${own.name} ${own.type} family ${inet(own.family)} `;
  const fits = create.startsWith(kind) && create.includes(' timeout ');
  const asMade = fits && asWeMakeIt.test(create);
  return { own, exists: true, fits, asMade, effects, odd: effects.length < found.length };
}

/** What grows as the set fills, and what ipset 7 tells besides, is not of our making. */
const asWeMakeIt = new RegExp(
  ` family \\S+ hashsize \\d+ maxelem ${mostEntries} timeout 0( bucketsize \\d+)?( initval \\S+)?$`,
);

function readEntry(own: OwnSet, line: string): FoundEffect<AddressTarget> | undefined {
  const [, name, text = '', seconds = '0'] =
    /^add (\S+) (\S+)(?: timeout (\d+))?$/.exec(line.trim()) ?? [];
  const target = parsePrinted(text);
  if (name !== own.name || target === undefined || setOf(target) !== name) return undefined;
  return seconds === '0' ? { target } : { target, expiresInMs: Number(seconds) * 1_000 };
}
