import type { Usability } from '../../platform/driver.ts';

export interface Candidate {
  readonly driver: string;
  readonly usability: Usability;
}

export interface Choice {
  /** The first usable candidate for each address family. */
  readonly byFamily: Readonly<Partial<Record<4 | 6, string>>>;
  /** The first usable candidate, for what acts on something else. */
  readonly first?: string;
  /** Why, in one line for the log: every candidate with its own reason, then what was taken. */
  readonly why: string;
}

/** Picks the drivers of a response: the first in order of preference that can act on the family. */
export function choose(
  response: string,
  candidates: readonly Candidate[],
  actsOnAddresses = true,
): Choice {
  const first = (family: 4 | 6): string | undefined =>
    candidates.find(({ usability }) => usability.usable && usability.families.includes(family))
      ?.driver;
  const v4 = first(4);
  const v6 = first(6);
  const reasons = candidates.map(
    ({ driver, usability }) => `${driver}=${usability.usable ? 'yes' : 'no'} (${usability.why})`,
  );
  if (!actsOnAddresses) {
    const taken = candidates.find(({ usability }) => usability.usable)?.driver;
    const why = `${response}: ${reasons.join(' ')} -> ${taken ?? 'none'}`;
    return { byFamily: {}, why, ...(taken === undefined ? {} : { first: taken }) };
  }
  const taken = v4 === v6 ? (v4 ?? 'none') : `IPv4 ${v4 ?? 'none'}, IPv6 ${v6 ?? 'none'}`;
  return {
    byFamily: { ...(v4 === undefined ? {} : { 4: v4 }), ...(v6 === undefined ? {} : { 6: v6 }) },
    why: `${response}: ${reasons.join(' ')} -> ${taken}`,
  };
}
