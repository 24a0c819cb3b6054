import type { Usability } from '../../platform/driver.ts';

export interface Candidate {
  readonly driver: string;
  readonly usability: Usability;
  /** It acts on prefixes too. */
  readonly prefixes?: boolean | undefined;
}

export interface Choice {
  /** The first usable candidate for each address family. */
  readonly byFamily: Readonly<Partial<Record<4 | 6, string>>>;
  /** The first usable candidate, for what acts on something else. */
  readonly first?: string;
  /** All usable candidates in order of preference: the next one is for when one fails. */
  readonly inOrder: {
    readonly hosts: Readonly<Record<4 | 6, readonly string[]>>;
    readonly prefixes: Readonly<Record<4 | 6, readonly string[]>>;
    readonly others: readonly string[];
  };
  /** Why, in one line for the log: every candidate with its own reason, then what was taken. */
  readonly why: string;
}

/** Picks the drivers of a response: the first in order of preference that can act on the family. */
export function choose(
  response: string,
  candidates: readonly Candidate[],
  actsOnAddresses = true,
): Choice {
  const usable = candidates.filter(({ usability }) => usability.usable);
  const reasons = candidates.map(
    ({ driver, usability }) => `${driver}=${usability.usable ? 'yes' : 'no'} (${usability.why})`,
  );
  const said = `${response}: ${reasons.join(' ')}`;
  if (!actsOnAddresses) {
    const others = namesOf(usable);
    const [first] = others;
    const inOrder = { hosts: { 4: [], 6: [] }, prefixes: { 4: [], 6: [] }, others };
    const why = `${said} -> ${first ?? 'none'}`;
    return { byFamily: {}, inOrder, why, ...(first === undefined ? {} : { first }) };
  }
  const serving = (family: 4 | 6) =>
    usable.filter(({ usability }) => usability.families.includes(family));
  const wide = (family: 4 | 6) => serving(family).filter(({ prefixes }) => prefixes === true);
  const inOrder = {
    hosts: { 4: namesOf(serving(4)), 6: namesOf(serving(6)) },
    prefixes: { 4: namesOf(wide(4)), 6: namesOf(wide(6)) },
    others: [],
  };
  const [v4, v6] = [inOrder.hosts[4][0], inOrder.hosts[6][0]];
  const taken = v4 === v6 ? (v4 ?? 'none') : `IPv4 ${v4 ?? 'none'}, IPv6 ${v6 ?? 'none'}`;
  const byFamily = {
    ...(v4 === undefined ? {} : { 4: v4 }),
    ...(v6 === undefined ? {} : { 6: v6 }),
  };
  return { byFamily, inOrder, why: `${said} -> ${taken}` };
}

function namesOf(candidates: readonly Candidate[]): string[] {
  return candidates.map(({ driver }) => driver);
}
