/**
 * Rules of the Windows firewall as the registry has them: fields with `|` between them ([MS-GPFAS]
 * 2.2.2.19), which no language of Windows changes.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { parsePrinted } from '../printed.ts';
import { type AddressTarget, parseTarget } from '../target.ts';

export type Direction = 'in' | 'out';

export const directions: readonly Direction[] = ['in', 'out'];

/** What a rule of ours comes to. */
export interface Rule {
  readonly name: string;
  /** Undefined: it says none. */
  readonly direction: Direction | undefined;
  /** It blocks, and for every packet from or to its addresses. */
  readonly acts: boolean;
  readonly targets: readonly AddressTarget[];
  /** It names nothing and so means every address there is, or names what we never named. */
  readonly strange: boolean;
}

/** Fields that say nothing about what a rule does. */
const harmless = new Set(['Name', 'Desc', 'EmbedCtxt', 'Edge', 'Defer', 'LSM']);
const addresses = new Set(['RA4', 'RA6']);

/** The rule that stands in the data of a value, or undefined for what is no rule. */
export function parseRule(data: string): Rule | undefined {
  const [version = '', ...fields] = data.split('|');
  if (!/^v\d+\.\d+$/.test(version) || fields.pop() !== '') return undefined;
  const pairs = fields.map((field): [string, string] => {
    const at = field.indexOf('=');
    return at === -1 ? [field, ''] : [field.slice(0, at), field.slice(at + 1)];
  });
  const first = (key: string): string | undefined => pairs.find(([name]) => name === key)?.[1];
  const named = pairs.filter(([key]) => addresses.has(key));
  const targets = named.map(([, text]) => parseAddress(text));
  const others = pairs.filter(([key]) => !addresses.has(key) && !harmless.has(key));
  const found = { In: 'in', Out: 'out' } as const;
  const dir = first('Dir');
  return {
    name: first('Name') ?? '',
    direction: dir === 'In' || dir === 'Out' ? found[dir] : undefined,
    acts:
      first('Action') === 'Block' &&
      first('Active') === 'TRUE' &&
      others.every(([key, value]) => isWide(key, value, pairs)),
    targets: targets.filter((target) => target !== undefined),
    strange: targets.length === 0 || targets.includes(undefined),
  };
}

/** Whether a field leaves the rule as wide as it was made: for every program, port and network. */
function isWide(
  key: string,
  value: string,
  pairs: readonly (readonly [string, string])[],
): boolean {
  if (key === 'Action' || key === 'Active' || key === 'Dir') return true;
  // 256 is any protocol; one that is named is a field of at most three digits up to 255.
  if (key === 'Protocol') return value === '256';
  // A rule for all profiles names none, or each of them.
  return key === 'Profile' && pairs.filter(([name]) => name === 'Profile').length >= 3;
}

/** `203.0.113.7`, `198.51.100.0/255.255.255.0`, `2001:db8::/48`, and ranges that are one of these. */
function parseAddress(text: string): AddressTarget | undefined {
  const [first = '', last] = text.split('-');
  if (last !== undefined) return first === last ? parseAddress(first) : undefined;
  const [address = '', length] = text.split('/');
  if (isIPv4(address)) {
    if (length === undefined || !isIPv4(length)) return parseTarget(text);
    const prefix = lengthOfMask(length);
    return prefix === undefined ? undefined : parseTarget(`${address}/${prefix}`);
  }
  if (!isIPv6(address)) return undefined;
  return parsePrinted(length === undefined ? address : `${address}/${length}`);
}

/** How many bits a mask has, if they are the first ones. */
export function lengthOfMask(mask: string): number | undefined {
  const bits = mask
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
  return /^1*0*$/.test(bits) ? bits.replaceAll('0', '').length : undefined;
}
