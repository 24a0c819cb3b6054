/** What the main ruleset (`pfctl -s rules`) makes of our anchor. */

export interface Evaluation {
  /** `some`: only for a part of the packets, by what the rule that calls the anchor says. */
  readonly reached: 'all' | 'some' | 'no';
  /** The rule that calls the anchor. */
  readonly call?: string;
  /** The rule before it that lets everything in, and whose packets. */
  readonly passedBy?: { readonly rule: string; readonly families: readonly (4 | 6)[] };
}

/** What has to stand in pf.conf so that an anchor is evaluated. */
export function lineFor(anchor: string): string {
  return `anchor "${callsOf(anchor).at(-1)}"`;
}

export function evaluate(listing: string, anchor: string): Evaluation {
  const rules = listing.split('\n');
  const calls = rules.flatMap((rule, index) => {
    const reached = reach(rule, anchor);
    return reached === 'no' ? [] : [{ rule, index, reached }];
  });
  const first = calls.find(({ reached }) => reached === 'all') ?? calls[0];
  if (first === undefined) return { reached: 'no' };
  const families = new Set<4 | 6>();
  let passing: string | undefined;
  for (const rule of rules.slice(0, first.index)) {
    for (const family of passesAll(rule)) {
      passing ??= rule;
      families.add(family);
    }
  }
  const { reached, rule: call } = first;
  if (passing === undefined) return { reached, call };
  return { reached, call, passedBy: { rule: passing, families: [...families] } };
}

/**
 * The names by which a rule calls an anchor. A name that ends in `/*` calls what is directly below it,
 * and not the anchor of that name itself (pf.conf(5), ANCHORS; transcripts pf-states).
 */
function callsOf(anchor: string): string[] {
  const slash = anchor.lastIndexOf('/');
  return slash === -1 ? ['*', anchor] : [anchor, `${anchor.slice(0, slash)}/*`];
}

/** A rule within an inline anchor is printed with blanks before it; it is not reached by everything. */
function reach(rule: string, anchor: string): Evaluation['reached'] {
  const [, name = '', rest = ''] = /^anchor "\/?([^"]+)"(.*)$/.exec(rule) ?? [];
  if (!callsOf(anchor).includes(name)) return 'no';
  return /^(?: quick)? all$/.test(rest) ? 'all' : 'some';
}

/** What says nothing of which packets are meant. */
const unlimiting =
  /^(?: (?:flags \S+|keep state(?: \([^)]*\))?|modulate state|synproxy state|no state|allow-opts|label "[^"]*"))*$/;

/** The families whose packets all are let in by a rule, whatever stands behind it. */
function passesAll(rule: string): (4 | 6)[] {
  const [found, family, rest = ''] =
    /^pass(?: in)?(?: log(?: \([^)]*\))?)? quick(?: (inet6?))? all(.*)$/.exec(rule) ?? [];
  if (found === undefined || !unlimiting.test(rest)) return [];
  return family === 'inet' ? [4] : family === 'inet6' ? [6] : [4, 6];
}
