import {
  type AddressRange,
  type AddressTarget,
  addressRange,
  isHost,
  parseTarget,
} from '../../platform/target.ts';
import { ArError } from '../errors.ts';

/** An address or prefix that is never acted on, and what it is, as it is told to who asked. */
export interface Protected {
  readonly target: AddressTarget;
  readonly what: string;
}

export interface GuardOptions {
  /** From the configuration. */
  readonly neverBlock: readonly AddressTarget[];
  readonly widestPrefix: { readonly 4: number; readonly 6: number };
}

/** Refuses targets by which a machine would cut itself off. */
export interface Guard {
  /**
   * `essential` is what has to stay reachable on this machine now: own addresses, gateways, resolvers,
   * manager. Throws `target-protected` or `prefix-too-wide`.
   */
  check(target: AddressTarget, essential: readonly Protected[]): void;
  /** What of it a target meets, if anything. */
  meets(target: AddressTarget, essential: readonly Protected[]): Protected | undefined;
}

/** Blocks of addresses that are never a remote attacker (RFC 6890, RFC 5771, RFC 4291). */
const builtIn: readonly (readonly [string, string])[] = [
  ['127.0.0.0/8', 'loopback'],
  ['::1', 'loopback'],
  ['0.0.0.0/8', '"this network"'],
  ['::', 'the unspecified address'],
  ['169.254.0.0/16', 'link-local'],
  ['fe80::/10', 'link-local'],
  ['224.0.0.0/4', 'multicast'],
  ['ff00::/8', 'multicast'],
  ['255.255.255.255', 'broadcast'],
];

type Entry = Protected & AddressRange;

export function createGuard(options: GuardOptions): Guard {
  const fixed = [
    ...builtIn.flatMap(([text, what]) => {
      const target = parseTarget(text);
      return target === undefined ? [] : [withRange({ target, what })];
    }),
    ...options.neverBlock.map((target) => withRange({ target, what: 'on the never-block list' })),
  ];
  let seen: readonly Protected[] = [];
  let machine: readonly Entry[] = [];

  const find = (target: AddressTarget, essential: readonly Protected[]): Entry | undefined => {
    if (essential !== seen) {
      seen = essential;
      machine = essential.map(withRange);
    }
    const { first, last } = addressRange(target);
    const meets = (one: Entry): boolean =>
      one.target.family === target.family && one.first <= last && first <= one.last;
    return machine.find(meets) ?? fixed.find(meets);
  };

  return {
    meets: find,
    check: (target, essential) => {
      const widest = options.widestPrefix[target.family];
      if (!isHost(target) && target.prefixLength < widest) {
        throw new ArError(
          'prefix-too-wide',
          `${target.text} is wider than /${widest}`,
          `Ask for smaller prefixes, or allow wider ones with <widest_prefix_ipv${target.family}>.`,
        );
      }
      const hit = find(target, essential);
      if (hit !== undefined) throw protectedError(target, hit);
    },
  };
}

function withRange(one: Protected): Entry {
  return { ...one, ...addressRange(one.target) };
}

function protectedError(target: AddressTarget, hit: Protected): ArError {
  const relation =
    hit.target.text === target.text
      ? `is ${hit.what}`
      : hit.target.prefixLength < target.prefixLength
        ? `lies in ${hit.target.text}, which is ${hit.what}`
        : `contains ${hit.target.text}, which is ${hit.what}`;
  return new ArError(
    'target-protected',
    `${target.text} ${relation}: it is never blocked`,
    'If this must be, a person can ask for it on this machine with --force-protected.',
  );
}
