/** What `nft -j` says of sets that somebody else made, and of the rules that ask for them. */
import type { FoundEffect } from '../driver.ts';
import { parsePrinted } from '../printed.ts';
import type { CommandStep, StepResult } from '../step.ts';
import { type AddressRange, type AddressTarget, addressRange, parseTarget } from '../target.ts';

/** A set by its full name, as `nft list set` takes it. */
export interface SetName {
  readonly family: 4 | 6;
  /** `inet filter blocked4`: family of the table, table, set. */
  readonly text: string;
  readonly words: readonly [string, string, string];
}

/** How a set was made. */
export interface Declaration {
  readonly type?: unknown;
  readonly flags: readonly string[];
  readonly merges: boolean;
  /** Elements without an end of their own get this one, in seconds. */
  readonly timeout?: number;
}

/** What a set holds. */
export interface Content {
  readonly ours: readonly FoundEffect<AddressTarget>[];
  /** What others have in it, as ranges: it need not be a prefix. */
  readonly others: readonly (AddressRange & { readonly family: 4 | 6 })[];
  readonly foreign: readonly AddressTarget[];
}

interface Listed {
  readonly set?: {
    readonly family: string;
    readonly table: string;
    readonly name: string;
    readonly type?: unknown;
    readonly flags?: readonly string[] | string;
    readonly timeout?: number;
    readonly elem?: readonly unknown[];
  };
  readonly rule?: { readonly expr: unknown };
}

/** A result's objects, or undefined when it cannot be understood. */
export function readListed(result: StepResult | undefined): readonly Listed[] | undefined {
  if (result === undefined || result.failure !== undefined) return undefined;
  try {
    const { nftables } = JSON.parse(result.stdout) as { nftables?: unknown };
    return Array.isArray(nftables) ? (nftables as Listed[]) : undefined;
  } catch {
    return undefined;
  }
}

/** All sets and how they were made: what two listings say, or undefined when nobody can tell. */
export interface AllSets {
  readonly listed: readonly Listed[];
  /** The full names of those that merge neighbours. */
  readonly merging: ReadonlySet<string>;
}

/**
 * Every set there is, tersely: without what is in it. Asked twice, because nft (1.0.6) leaves
 * `auto-merge` out of its JSON.
 */
export const askAllSets: readonly CommandStep[] = [
  { kind: 'command', tool: 'nft', args: ['-j', '-t', 'list', 'sets'] },
  { kind: 'command', tool: 'nft', args: ['-t', 'list', 'sets'] },
];

/** Understands the answers to `askAllSets`, which are the first two of `results`. */
export function readAllSets([json, text]: readonly StepResult[]): AllSets | undefined {
  const listed = readListed(json);
  if (listed === undefined || text === undefined || text.failure !== undefined) return undefined;
  return { listed, merging: new Set(mergingIn(text.stdout)) };
}

function* mergingIn(text: string): Generator<string> {
  for (const [, table = '', body = ''] of text.matchAll(/^table (.+) \{\n([\s\S]*?)^\}/gm)) {
    for (const [, set = '', inner = ''] of body.matchAll(/^\tset (.+) \{\n([\s\S]*?)^\t\}/gm)) {
      if (/^\s*auto-merge$/m.test(inner)) yield `${table} ${set}`;
    }
  }
}

/** How a set was made, if it is there. */
export function declarationOf(
  { words, text }: SetName,
  { listed, merging }: AllSets,
): Declaration | undefined {
  const set = find(words, listed);
  if (set === undefined) return undefined;
  const { type, flags = [], timeout } = set;
  return {
    type,
    flags: typeof flags === 'string' ? [flags] : flags,
    merges: merging.has(text),
    ...(timeout === undefined ? {} : { timeout }),
  };
}

/** True when some rule of those that are listed asks for the set, in whatever way. */
export function isAskedFor({ words }: SetName, listed: readonly Listed[]): boolean {
  const reference = JSON.stringify(`@${words[2]}`);
  return listed.some(({ rule }) => JSON.stringify(rule?.expr ?? '').includes(reference));
}

/** What stands in the set; `foreverSeconds` is the timeout that stands for none. */
export function contentOf(
  name: SetName,
  listed: readonly Listed[],
  { mark, foreverSeconds }: { readonly mark: string; readonly foreverSeconds: number },
): Content | undefined {
  const set = find(name.words, listed);
  if (set === undefined) return undefined;
  const ours: FoundEffect<AddressTarget>[] = [];
  const foreign: AddressTarget[] = [];
  const others: Content['others'][number][] = [];
  for (const element of set.elem ?? []) {
    const { value, comment, timeout, expires } = partsOf(element);
    const range = rangeOf(value, name.family);
    if (range === undefined) return undefined;
    const target = prefixOf(range.text, addressRange(range.last).last, name.family);
    if (comment === mark && target !== undefined) {
      const left = timeout === foreverSeconds ? undefined : (expires ?? timeout);
      ours.push(left === undefined ? { target } : { target, expiresInMs: left * 1_000 });
      continue;
    }
    if (target !== undefined) foreign.push(target);
    const { first } = addressRange(range.text);
    others.push({ family: name.family, first, last: addressRange(range.last).last });
  }
  return { ours, foreign, others };
}

/** What a failed step said, in a few words. */
export function complaint(result: StepResult | undefined): string {
  const said = result?.stderr.trim().split('\n')[0] ?? '';
  return said === '' ? (result?.failure ?? 'not understood') : said;
}

function find([family, table, name]: SetName['words'], listed: readonly Listed[]): Listed['set'] {
  return listed.find(
    ({ set }) => set?.family === family && set.table === table && set.name === name,
  )?.set;
}

interface Parts {
  readonly value: unknown;
  readonly comment?: unknown;
  readonly timeout?: number;
  readonly expires?: number;
}

/** Elements are a bare value, or an object around it once they have a timeout or a comment. */
function partsOf(element: unknown): Parts {
  if (typeof element !== 'object' || element === null || !('elem' in element)) {
    return { value: element };
  }
  const { val, ...rest } = element.elem as { val: unknown } & Omit<Parts, 'value'>;
  return { ...rest, value: val };
}

interface PrintedRange {
  /** Its first address, or the prefix as a whole. */
  readonly text: AddressTarget;
  readonly last: AddressTarget;
}

/** An address, a prefix, or a range from the first to the last address. */
function rangeOf(value: unknown, family: 4 | 6): PrintedRange | undefined {
  const texts = textsOf(value);
  const [text, last] = texts.map(parsePrinted);
  if (text?.family !== family || last?.family !== family) return undefined;
  return { text, last };
}

function textsOf(value: unknown): readonly [string, string] | readonly [] {
  if (typeof value === 'string') return [value, value];
  if (typeof value !== 'object' || value === null) return [];
  if ('prefix' in value) {
    const { addr, len } = value.prefix as { addr?: string; len?: number };
    return [`${addr}/${len}`, `${addr}/${len}`];
  }
  if ('range' in value && Array.isArray(value.range)) {
    const [first, last] = value.range as [string, string];
    return [first, last];
  }
  return [];
}

/** The one prefix that a range comes to, if it does. */
function prefixOf(
  first: AddressTarget,
  last: number | bigint,
  family: 4 | 6,
): AddressTarget | undefined {
  if (addressRange(first).last === last) return first;
  for (let length = family === 4 ? 31 : 127; length >= 0; length -= 1) {
    const target = parseTarget(`${first.address}/${length}`);
    if (target?.address !== first.address) return undefined;
    if (addressRange(target).last === last) return target;
  }
  return undefined;
}
